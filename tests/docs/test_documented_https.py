"""The guide's program with virtual hosts in the three modes, and HTTPS whose site is a module.

As the guide writes it, but for ports and paths.
"""

from __future__ import annotations

import json
import ssl
from pathlib import Path
from typing import Any

from support import Client, Program, Upstream, says, tree

HTTP = """
import slimHTTP, sys

http = slimHTTP.server(slimHTTP.HTTP, addr='127.0.0.1', port=0)

@http.configuration
def config(instance):
    return {
        'web_root': './srv/default',
        'index': 'index.html',
        'vhosts': {
            'files.example': {
                'web_root': './srv/files',
                'index': 'start.html'
            },
            'module.example': {
                'module': './srv/module/vhost.py'
            },
            'proxy.example': {
                'proxy': sys.argv[1],
                'ssl': False
            }
        }
    }

while 1:
    for event, *event_data in http.poll():
        pass
"""

MODULE = """
def on_request(request):
    print(f'handling {request.url}')
    return f'the module answers {request.url} for {request.vhost}'
"""

HTTPS = """
import slimHTTP

https = slimHTTP.server(slimHTTP.HTTPS, addr='127.0.0.1', port=0,
    ssl={'cert': 'certs/cert.pem', 'key': 'certs/key.pem'})

@https.configuration
def config(instance):
    return {
        'ssl': {
            'cert': 'certs/cert.pem',
            'key': 'certs/key.pem'
        },
        'vhosts': {
            'secure.example': {
                'module': './vhost.py'
            }
        }
    }

https.run()
"""

SECURE_MODULE = """
import json
import slimHTTP

http = slimHTTP.instances['127.0.0.1:0']

@http.route('/', vhost='secure.example')
def front_page(request):
    return request.build_headers({'Content-Type': 'application/json'}) + bytes(
        json.dumps({'front page of': request.vhost}), 'UTF-8')

def on_request(request):
    return slimHTTP.HTTP_RESPONSE(
        ret_code=200,
        headers={'Content-Type': 'text/html; charset=utf-8'},
        payload=f'<h1>{request.url}</h1>')
"""

MAKE = """
import sys, slimHTTP
slimHTTP.CertManager.generate_key_and_cert('certs/key.pem', cert_file='certs/cert.pem',
    country='SE', state='Stockholm', city='Stockholm', organization='Example', unit='Web',
    cn='secure.example', email='web@secure.example')
"""


def test_c4_1_the_virtual_hosts_of_the_guide_in_the_three_modes(tmp_path: Path) -> None:
    tree(tmp_path, {
        'srv/default/index.html': 'default', 'srv/files/start.html': 'files',
        'srv/module/vhost.py': MODULE,
    })  # fmt: skip
    with (
        Upstream(says('from behind')) as upstream,
        Program(HTTP, upstream.name, cwd=tmp_path) as program,
        program.client() as client,
    ):
        for host, target, text in [
            ('any.example', '/', 'default'),
            ('files.example', '/', 'files'),
            ('module.example', '/a/b', 'the module answers /a/b for module.example'),
            ('proxy.example', '/', 'from behind'),
        ]:
            assert client.get(target, host=host).text == text
        program.wait_for('handling /a/b', 'stdout')
        assert program.stop() in (0, -15)


def test_c6_1_an_https_instance_whose_virtual_host_is_a_module(tmp_path: Path) -> None:
    tree(tmp_path, {'vhost.py': SECURE_MODULE, 'certs': {}})
    with Program(MAKE, cwd=tmp_path) as making:
        assert making.wait() == 0, making.stderr
    trust: Any = ssl.create_default_context(cafile=tmp_path / 'certs/cert.pem')
    trust.check_hostname = False  # It is asked by its address here.
    with Program(HTTPS, cwd=tmp_path) as program:
        assert program.url.startswith('https://')
        with Client(program.address, tls=trust) as client:
            front = client.get('/', host='secure.example')
            assert json.loads(front.text) == {'front page of': 'secure.example'}
            assert front.headers['content-type'] == 'application/json'
            rest = client.get('/rest', host='secure.example')
            assert (rest.status, rest.text) == (200, '<h1>/rest</h1>')
            assert client.get('/', host='other.example').status == 404
        assert 'self-signed' not in program.stderr
        assert program.stop() == 0
