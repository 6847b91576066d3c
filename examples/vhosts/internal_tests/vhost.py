"""The module of a virtual host: `on_request` answers every request to it."""

import slimHTTP


def on_request(request: slimHTTP.HTTP_REQUEST) -> slimHTTP.HTTP_RESPONSE:
    return slimHTTP.HTTP_RESPONSE(
        ret_code=200,
        headers={'Content-Type': 'text/plain; charset=utf-8'},
        payload=f'{request.vhost} was asked for {request.url}\n',
    )
