"""An application of Flask beside a folder: the server sends the files, Flask answers the rest.

Needs it:  pip install flask
Start it:  python examples/application.py
Try it:    curl http://localhost:8080/
           curl http://localhost:8080/static/page.css
"""

import os

import slimHTTP
from flask import Flask

os.chdir(os.path.dirname(os.path.abspath(__file__)))  # relative paths start here

app = Flask(__name__, static_folder=None)


@app.get('/')
def hello() -> str:
    return '<link rel="stylesheet" href="/static/page.css">Hello from Flask\n'


http = slimHTTP.server(slimHTTP.HTTP, port=int(os.environ.get('PORT', '8080')))
http.mount('/', app)
http.mount('/static', web_root='./application/static')
http.run()
