"""The module behind module.localhost. Edit this text while the demo runs, and reload the page."""

import datetime

import slimHTTP

GREETING = 'Hello from a Python module'


def on_request(request: slimHTTP.HTTP_REQUEST) -> str:
    visits = slimHTTP.memory.increment('visits to the demo')
    return f"""<!doctype html>
<html lang="en">
<meta charset="utf-8">
<meta name="viewport" content="width=device-width">
<title>{GREETING}</title>
<style>
  body {{ max-width: 44rem; margin: 3rem auto; padding: 0 1rem }}
  body {{ font: 1rem/1.6 system-ui, sans-serif }}
</style>
<h1>{GREETING}</h1>
<p>This file was run for your request, at {datetime.datetime.now():%H:%M:%S}. It has answered
{visits} so far: the module starts anew each time, <code>slimHTTP.memory</code> remembers.
<p>Edit <code>examples/demo/module.py</code>, save, and reload this page.
"""
