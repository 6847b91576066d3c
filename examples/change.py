"""Three ways to change the configuration while the server runs. Each is all or nothing.

Start it:  python examples/change.py
Try it:    curl http://localhost:8080/                     the default folder
           curl -X POST http://localhost:8080/edit         one key, in place
           curl -X POST http://localhost:8080/group        several keys, one change
           curl -X POST http://localhost:8080/replace      all of it
           curl -X POST http://localhost:8080/broken       what is wrong, and no change
"""

import os

import slimHTTP

os.chdir(os.path.dirname(os.path.abspath(__file__)))  # relative paths start here

http = slimHTTP.server(slimHTTP.HTTP, port=int(os.environ.get('PORT', '8080')))


@http.configuration
def start(instance: slimHTTP.HTTP_SERVER) -> dict[str, str]:
    return {'web_root': './vhosts/default'}


@http.route('/edit', methods=['POST'])
def edit(request: slimHTTP.HTTP_REQUEST) -> str:
    http.config['web_root'] = './vhosts/files'
    return 'web_root is now ./vhosts/files\n'


@http.route('/group', methods=['POST'])
def group(request: slimHTTP.HTTP_REQUEST) -> str:
    with http.config.edit() as draft:
        draft['web_root'] = './vhosts/default'
        draft['vhosts'] = {'new.localhost': {'web_root': './vhosts/files'}}
    return 'a virtual host stands: new.localhost\n'


@http.route('/replace', methods=['POST'])
def replace(request: slimHTTP.HTTP_REQUEST) -> str:
    http.configuration({'web_root': './site'})
    return 'web_root is now ./site, and there are no virtual hosts\n'


@http.route('/broken', methods=['POST'])
def broken(request: slimHTTP.HTTP_REQUEST) -> str:
    try:
        http.configuration({'web_rot': './site', 'vhosts': {'a.localhost': {'proxy': '10.0.0.1'}}})
    except slimHTTP.ConfError as error:
        return f'{error}\n'
    return 'it was not broken\n'


http.run()
