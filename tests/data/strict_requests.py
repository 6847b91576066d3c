"""Requests as bytes and what becomes of them: a case is a line, `(why, bytes, outcome)`.

An outcome is a status. 200 means that the handler has seen the request. Everything else means
that nothing has: one answer, then the connection closes. Where RFC 9112 leaves the choice, what
two readers could understand differently is refused. The kinds of case are those on which HTTP
parsers have differed: request lines, fields, lengths, chunks, and streams that two readers cut
differently (request smuggling).

The server under test has a handler for every path and method; `a.example` is the host.
"""

from __future__ import annotations

from typing import NamedTuple

#: Request lines; behind each come `CRLF Host: a.example CRLF CRLF`.
LINES: list[tuple[str, bytes, int]] = [
    # Fine.
    ('plain', b'GET / HTTP/1.1', 200),
    ('query', b'GET /a/b?c=d&e=%20 HTTP/1.1', 200),
    ('query with question marks and slashes', b'GET /a?b?c/d HTTP/1.1', 200),
    ('sub-delims and colon and at in a path', b"GET /a:@!$&'()*+,;=~-._ HTTP/1.1", 200),
    ('empty query', b'GET /? HTTP/1.1', 200),
    ('encoded path', b'GET /%7Ea/%C3%A9 HTTP/1.1', 200),
    ('a method nobody knows', b'BREW /pot HTTP/1.1', 200),
    ('a method with a hyphen', b'M-SEARCH /a HTTP/1.1', 200),
    ('methods are case-sensitive, so this is another one', b'get / HTTP/1.1', 200),
    ('version 1.0', b'GET / HTTP/1.0', 200),
    ('a later minor version', b'GET / HTTP/1.2', 200),
    ('absolute form', b'GET http://a.example/x?y HTTP/1.1', 200),
    ('absolute form, default port', b'GET http://a.example:80/x HTTP/1.1', 200),
    ('absolute form, scheme and host in capitals', b'GET HTTP://A.Example/x HTTP/1.1', 200),
    ('absolute form without a path', b'GET http://a.example HTTP/1.1', 200),
    ('absolute form without a path, with a query', b'GET http://a.example?x HTTP/1.1', 200),
    # Space.
    ('leading space', b' GET / HTTP/1.1', 400),
    ('leading tab', b'\tGET / HTTP/1.1', 400),
    ('two spaces before the target', b'GET  / HTTP/1.1', 400),
    ('two spaces before the version', b'GET /  HTTP/1.1', 400),
    ('trailing space', b'GET / HTTP/1.1 ', 400),
    ('trailing tab', b'GET / HTTP/1.1\t', 400),
    ('tab before the target', b'GET\t/ HTTP/1.1', 400),
    ('tab before the version', b'GET /\tHTTP/1.1', 400),
    ('vertical tab', b'GET\x0b/\x0bHTTP/1.1', 400),
    ('form feed', b'GET\x0c/ HTTP/1.1', 400),
    ('no-break space', b'GET\xa0/\xa0HTTP/1.1', 400),
    ('space in the target', b'GET /a b HTTP/1.1', 400),
    ('a word behind the version', b'GET / HTTP/1.1 GET', 400),
    ('bare CR inside', b'GET / HTTP/1.1\rX', 400),
    ('bare LF inside', b'GET /\nHTTP/1.1', 400),
    # Methods.
    ('no method', b' / HTTP/1.1', 400),
    ('method alone', b'GET', 400),
    ('control byte in the method', b'G\x01T / HTTP/1.1', 400),
    ('NUL in the method', b'GET\x00 / HTTP/1.1', 400),
    ('DEL in the method', b'G\x7fT / HTTP/1.1', 400),
    ('UTF-8 in the method', b'G\xc3\x89T / HTTP/1.1', 400),
    ('a separator in the method', b'G<E>T / HTTP/1.1', 400),
    ('a colon behind the method', b'GET: / HTTP/1.1', 400),
    ('a quoted method', b'"GET" / HTTP/1.1', 400),
    ('a byte order mark', b'\xef\xbb\xbfGET / HTTP/1.1', 400),
    # Targets.
    ('no target', b'GET HTTP/1.1', 400),
    ('empty target', b'GET  HTTP/1.1', 400),
    ('a word as target', b'GET word HTTP/1.1', 400),
    ('dots as target', b'GET ../x HTTP/1.1', 400),
    ('a query as target', b'GET ?x=1 HTTP/1.1', 400),
    ('a backslash as target', b'GET \\x HTTP/1.1', 400),
    ('an encoded slash as target', b'GET %2Fx HTTP/1.1', 400),
    ('asterisk is for OPTIONS', b'GET * HTTP/1.1', 400),
    ('authority is for CONNECT', b'GET a.example:80 HTTP/1.1', 400),
    ('origin form is not for CONNECT', b'CONNECT / HTTP/1.1', 400),
    ('NUL in the target', b'GET /\x00 HTTP/1.1', 400),
    ('control byte in the target', b'GET /\x01 HTTP/1.1', 400),
    ('escape in the query', b'GET /?\x1b[0m HTTP/1.1', 400),
    ('DEL in the target', b'GET /\x7f HTTP/1.1', 400),
    ('CR in the target', b'GET /\rx HTTP/1.1', 400),
    ('raw UTF-8 in the target', b'GET /caf\xc3\xa9 HTTP/1.1', 400),
    ('a fragment', b'GET /a#b HTTP/1.1', 400),
    ('absolute form of another host', b'GET http://b.example/ HTTP/1.1', 400),
    ('absolute form of another port', b'GET http://a.example:8081/ HTTP/1.1', 400),
    ('absolute form with a longer host', b'GET http://a.example.b/ HTTP/1.1', 400),
    ('absolute form with a user', b'GET http://u@a.example/ HTTP/1.1', 400),
    ('absolute form, host hidden as a user', b'GET http://a.example@b.example/ HTTP/1.1', 400),
    ('absolute form without a host', b'GET http:///x HTTP/1.1', 400),
    ('absolute form, port out of range', b'GET http://a.example:99999/ HTTP/1.1', 400),
    ('absolute form, port a word', b'GET http://a.example:http/ HTTP/1.1', 400),
    ('absolute form, bracket open', b'GET http://[::1/ HTTP/1.1', 400),
    ('absolute form of a file', b'GET file:///etc/passwd HTTP/1.1', 400),
    ('absolute form of one slash', b'GET http:/a.example/ HTTP/1.1', 400),
    # Versions.
    ('no version', b'GET /', 400),
    ('no version but a space', b'GET / ', 400),
    ('version 0.9', b'GET / HTTP/0.9', 505),
    ('version 2.0', b'GET / HTTP/2.0', 505),
    ('version 9.9', b'GET / HTTP/9.9', 505),
    ('version 2', b'GET / HTTP/2', 400),
    ('version without a minor', b'GET / HTTP/1.', 400),
    ('version with a long minor', b'GET / HTTP/1.10', 400),
    ('version with a long major', b'GET / HTTP/01.1', 400),
    ('version with three parts', b'GET / HTTP/1.1.1', 400),
    ('version with a comma', b'GET / HTTP/1,1', 400),
    ('version of letters', b'GET / HTTP/A.B', 400),
    ('version in small letters', b'GET / http/1.1', 400),
    ('version with a space', b'GET / HTTP /1.1', 400),
    ('version without a slash', b'GET / HTTP1.1', 400),
    ('another protocol', b'GET / RTSP/1.0', 400),
    ('yet another protocol', b'GET / HTTPS/1.1', 400),
    ('NUL behind the version', b'GET / HTTP/1.1\x00', 400),
]  # fmt: skip

#: Field lines between `GET / HTTP/1.1 CRLF Host: a.example CRLF` and CRLF.
FIELDS: list[tuple[str, bytes, int]] = [
    # Fine.
    ('every character of a token', b"!#$%&'*+-.^_`|~09azAZ: b\r\n", 200),
    ('no space before the value', b'A:b\r\n', 200),
    ('an empty value', b'A:\r\n', 200),
    ('a value of space', b'A: \t \r\n', 200),
    ('tabs around and within the value', b'A:\t b\tc \t\r\n', 200),
    ('colons in the value', b'A: :b:c:\r\n', 200),
    ('bytes above ASCII in the value', b'A: \x80\xff caf\xc3\xa9\r\n', 200),
    ('the same field twice', b'A: b\r\nA: c\r\n', 200),
    ('a length of nothing', b'Content-Length: 0\r\n', 200),
    # Line ends.
    ('bare LF behind a field', b'A: b\n', 400),
    ('bare LF between fields', b'A: b\nC: d\r\n', 400),
    ('bare LF for the empty line', b'A: b\r\n\n', 400),
    ('bare CR behind a field', b'A: b\rC: d\r\n', 400),
    ('two CRs', b'A: b\r\r\n', 400),
    ('bare CR in a value', b'A: b\rc\r\n', 400),
    ('LF CR', b'A: b\n\r', 400),
    ('bare LF hides a field', b'A: b\nTransfer-Encoding: chunked\r\n', 400),
    ('bare CR hides a field', b'A: b\rContent-Length: 5\r\n', 400),
    # Folding.
    ('folded by a space', b'A: b\r\n c\r\n', 400),
    ('folded by a tab', b'A: b\r\n\tc\r\n', 400),
    ('folded at once', b'A:\r\n b\r\n', 400),
    ('a line of space', b'A: b\r\n \r\n', 400),
    ('folded length', b'Content-Length:\r\n 5\r\n', 400),
    ('folded coding', b'Transfer-Encoding:\r\n chunked\r\n', 400),
    ('a field behind a space', b' A: b\r\n', 400),
    ('a length behind a space', b' Content-Length: 5\r\n', 400),
    # Names.
    ('space before the colon', b'A : b\r\n', 400),
    ('tab before the colon', b'A\t: b\r\n', 400),
    ('space before the colon of a length', b'Content-Length : 5\r\n', 400),
    ('space before the colon of a coding', b'Transfer-Encoding : chunked\r\n', 400),
    ('no name', b': b\r\n', 400),
    ('no colon', b'A\r\n', 400),
    ('an equals sign for a colon', b'A=b\r\n', 400),
    ('space in a name', b'A b: c\r\n', 400),
    ('NUL in a name', b'A\x00b: c\r\n', 400),
    ('control byte in a name', b'A\x1fb: c\r\n', 400),
    ('DEL in a name', b'A\x7f: b\r\n', 400),
    ('UTF-8 in a name', b'\xc3\x84: b\r\n', 400),
    ('parentheses in a name', b'A(b): c\r\n', 400),
    ('brackets in a name', b'[A]: b\r\n', 400),
    ('braces in a name', b'{A}: b\r\n', 400),
    ('a slash in a name', b'A/b: c\r\n', 400),
    ('an at in a name', b'A@b: c\r\n', 400),
    ('a quoted name', b'"A": b\r\n', 400),
    # Values.
    ('NUL in a value', b'A: b\x00c\r\n', 400),
    ('NUL as a value', b'A: \x00\r\n', 400),
    ('bell in a value', b'A: \x07\r\n', 400),
    ('vertical tab in a value', b'A: b\x0bc\r\n', 400),
    ('form feed in a value', b'A: \x0cb\r\n', 400),
    ('escape in a value', b'A: \x1b[31m\r\n', 400),
    ('DEL in a value', b'A: b\x7f\r\n', 400),
    # Host, beside the one that is there.
    ('the same host again', b'Host: a.example\r\n', 400),
    ('another host', b'HOST: b.example\r\n', 400),
    ('an empty host beside', b'host:\r\n', 400),
    # Content-Length.
    ('length -1', b'Content-Length: -1\r\n', 400),
    ('length +5', b'Content-Length: +5\r\n', 400),
    ('length 0x5', b'Content-Length: 0x5\r\n', 400),
    ('length 5 5', b'Content-Length: 5 5\r\n', 400),
    ('length 5,6', b'Content-Length: 5, 6\r\n', 400),
    ('length of a word', b'Content-Length: five\r\n', 400),
    ('length with a letter', b'Content-Length: 5a\r\n', 400),
    ('length with a dot', b'Content-Length: 5.0\r\n', 400),
    ('length with an exponent', b'Content-Length: 1e1\r\n', 400),
    ('length with an underscore', b'Content-Length: 5_0\r\n', 400),
    ('length with a semicolon', b'Content-Length: 5;\r\n', 400),
    ('length in quotes', b'Content-Length: "5"\r\n', 400),
    ('length in full width digits', b'Content-Length: \xef\xbc\x95\r\n', 400),
    ('length behind a vertical tab', b'Content-Length: \x0b5\r\n', 400),
    ('empty length', b'Content-Length:\r\n', 400),
    ('length beyond 64 bits', b'Content-Length: 18446744073709551616\r\n', 400),
    ('length beyond anything', b'Content-Length: ' + b'9' * 60 + b'\r\n', 400),
    ('two lengths that differ', b'Content-Length: 5\r\nContent-Length: 6\r\n', 400),
    ('two lengths, one empty', b'Content-Length: 0\r\nContent-Length:\r\n', 400),
    ('two lengths that agree', b'Content-Length: 0\r\nContent-Length: 0\r\n', 400),
    ('a list of lengths that agree', b'Content-Length: 0, 0\r\n', 400),
    # Transfer-Encoding.
    ('coding without chunked', b'Transfer-Encoding: gzip\r\n', 400),
    ('coding identity', b'Transfer-Encoding: identity\r\n', 400),
    ('chunked is not the last', b'Transfer-Encoding: chunked, gzip\r\n', 400),
    ('chunked then identity', b'Transfer-Encoding: chunked, identity\r\n', 400),
    ('chunked twice', b'Transfer-Encoding: chunked, chunked\r\n', 400),
    ('chunked in two fields', b'Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n', 400),
    ('chunked and a word, in two fields', b'Transfer-Encoding: chunked\r\nTransfer-Encoding: x\r\n', 400),
    ('a coding before chunked', b'Transfer-Encoding: gzip, chunked\r\n', 501),
    ('almost chunked, in front', b'Transfer-Encoding: xchunked\r\n', 400),
    ('almost chunked, behind', b'Transfer-Encoding: chunkedx\r\n', 400),
    ('chunked in quotes', b'Transfer-Encoding: "chunked"\r\n', 400),
    ('chunked behind a vertical tab', b'Transfer-Encoding: \x0bchunked\r\n', 400),
    ('chunked behind a no-break space', b'Transfer-Encoding: \xa0chunked\r\n', 400),
    ('chunked before NUL', b'Transfer-Encoding: chunked\x00\r\n', 400),
    ('chunked by a Kelvin sign', b'Transfer-Encoding: chun\xe2\x84\xaaed\r\n', 400),
    ('chunked with a parameter', b'Transfer-Encoding: chunked;q=1\r\n', 400),
    ('empty coding', b'Transfer-Encoding:\r\n', 400),
]  # fmt: skip

#: Host fields, each the only one of `GET / HTTP/1.1`.
HOSTS: list[tuple[str, bytes, int]] = [
    ('a name', b'a.example', 200),
    ('a name with a port', b'a.example:8080', 200),
    ('a name with an empty port', b'a.example:', 200),
    ('a name with a trailing dot', b'a.example.', 200),
    ('a name with an underscore', b'a_b.example', 200),
    ('all that RFC 3986 has in a name', b"a~!$&'()*+,;=b", 200),
    ('an encoded name', b'%61.ex%C3%A4mple%2Fb:80', 200),
    ('a name with an empty label', b'a..example', 200),
    ('an address', b'127.0.0.1:80', 200),
    ('an IPv6 address', b'[::1]:80', 200),
    ('empty', b'', 400),
    ('space within', b'a.example b.example', 400),
    ('a list', b'a.example, b.example', 400),
    ('a user', b'user@a.example', 400),
    ('a path', b'a.example/x', 400),
    ('a query', b'a.example?x', 400),
    ('a fragment', b'a.example#x', 400),
    ('a URL', b'http://a.example', 400),
    ('a port that is a word', b'a.example:http', 400),
    ('a port out of range', b'a.example:65536', 400),
    ('a negative port', b'a.example:-1', 400),
    ('two ports', b'a.example:80:80', 400),
    ('an encoding that is none', b'a%zz.example', 400),
    ('an encoding that breaks off', b'a.example%2', 400),
    ('bracket open', b'[::1', 400),
    ('bracket close', b'::1]', 400),
    ('IPv6 without brackets', b'::1', 400),
    ('nonsense in brackets', b'[zz]', 400),
    ('a backslash', b'a.example\\b', 400),
    ('quotes', b'"a.example"', 400),
    ('angle brackets', b'<a.example>', 400),
    ('NUL', b'a.example\x00', 400),
    ('a byte above ASCII', b'a\xffb.example', 400),
]  # fmt: skip

#: Bodies behind `POST / HTTP/1.1 CRLF Host: a.example CRLF Transfer-Encoding: chunked CRLF CRLF`.
CHUNKS: list[tuple[str, bytes, int]] = [
    # Fine; every one of them says `hello`.
    ('one chunk', b'5\r\nhello\r\n0\r\n\r\n', 200),
    ('two chunks', b'2\r\nhe\r\n3\r\nllo\r\n0\r\n\r\n', 200),
    ('leading zeros', b'0005\r\nhello\r\n000\r\n\r\n', 200),
    ('extension', b'5;a\r\nhello\r\n0\r\n\r\n', 200),
    ('extension with a value', b'5;a=b;c=d\r\nhello\r\n0;e\r\n\r\n', 200),
    ('extension with a quoted value', b'5;a="b;\\"c"\r\nhello\r\n0\r\n\r\n', 200),
    ('trailer', b'5\r\nhello\r\n0\r\nX-Sum: 1\r\n\r\n', 200),
    # The size.
    ('no size', b'\r\nhello\r\n0\r\n\r\n', 400),
    ('size of a letter beyond f', b'g\r\nhello\r\n0\r\n\r\n', 400),
    ('size with a letter beyond f', b'5g\r\nhello\r\n0\r\n\r\n', 400),
    ('size -5', b'-5\r\nhello\r\n0\r\n\r\n', 400),
    ('size +5', b'+5\r\nhello\r\n0\r\n\r\n', 400),
    ('size 0x5', b'0x5\r\nhello\r\n0\r\n\r\n', 400),
    ('size 5_0', b'5_0\r\nhello\r\n0\r\n\r\n', 400),
    ('size 5.0', b'5.0\r\nhello\r\n0\r\n\r\n', 400),
    ('size behind a space', b' 5\r\nhello\r\n0\r\n\r\n', 400),
    ('size before a space', b'5 \r\nhello\r\n0\r\n\r\n', 400),
    ('size before a NUL', b'5\x00\r\nhello\r\n0\r\n\r\n', 400),
    ('size in quotes', b'"5"\r\nhello\r\n0\r\n\r\n', 400),
    ('size 5 modulo 2 to the 64', b'10000000000000005\r\nhello\r\n0\r\n\r\n', 400),
    ('size beyond 64 bits', b'fffffffffffffffff\r\nhello\r\n0\r\n\r\n', 400),
    # Line ends.
    ('bare LF behind the size', b'5\nhello\r\n0\r\n\r\n', 400),
    ('bare CR behind the size', b'5\rhello\r\n0\r\n\r\n', 400),
    ('two CRs behind the size', b'5\r\r\nhello\r\n0\r\n\r\n', 400),
    ('bare LF behind the data', b'5\r\nhello\n0\r\n\r\n', 400),
    ('bare CR behind the data', b'5\r\nhello\r0\r\n\r\n', 400),
    ('nothing behind the data', b'5\r\nhello0\r\n\r\n', 400),
    ('two other bytes behind the data', b'5\r\nhelloXX0\r\n\r\n', 400),
    ('an empty line behind the data', b'5\r\nhello\r\n\r\n0\r\n\r\n', 400),
    ('more data than said', b'4\r\nhello\r\n0\r\n\r\n', 400),
    ('less data than said', b'6\r\nhello\r\n0\r\n\r\n', 400),
    ('bare LF behind the last size', b'5\r\nhello\r\n0\n\r\n', 400),
    ('bare LF at the end', b'5\r\nhello\r\n0\r\n\n', 400),
    # Extensions.
    ('bare LF in an extension', b'5;a\nb\r\nhello\r\n0\r\n\r\n', 400),
    ('bare CR in an extension', b'5;a\rb\r\nhello\r\n0\r\n\r\n', 400),
    ('NUL in an extension', b'5;a\x00\r\nhello\r\n0\r\n\r\n', 400),
    ('control byte in an extension', b'5;a=\x01\r\nhello\r\n0\r\n\r\n', 400),
    ('a quote left open', b'5;a="b\r\nhello\r\n0\r\n\r\n', 400),
    # Trailers.
    ('trailer without a colon', b'5\r\nhello\r\n0\r\nX\r\n\r\n', 400),
    ('trailer with a space before the colon', b'5\r\nhello\r\n0\r\nX : y\r\n\r\n', 400),
    ('trailer folded', b'5\r\nhello\r\n0\r\nX: y\r\n z\r\n\r\n', 400),
    ('trailer with a NUL', b'5\r\nhello\r\n0\r\nX: \x00\r\n\r\n', 400),
    ('trailer with a bare LF', b'5\r\nhello\r\n0\r\nX: y\n\r\n', 400),
    ('trailer that gives a length', b'5\r\nhello\r\n0\r\nContent-Length: 5\r\n\r\n', 400),
    ('trailer that is a request', b'5\r\nhello\r\n0\r\nGET /smuggled HTTP/1.1\r\nHost: a.example\r\n\r\n', 400),
]  # fmt: skip

#: What a smuggler would have answered: behind every stream that holds it, nobody may see it.
SMUGGLED = b'GET /smuggled HTTP/1.1\r\nHost: a.example\r\n\r\n'

POST = b'POST / HTTP/1.1\r\nHost: a.example\r\n'

#: Whole streams.
STREAMS: list[tuple[str, bytes, int]] = [
    # Fine.
    ('a body of a length', POST + b'Content-Length: 5\r\n\r\nhello', 200),
    ('a length with leading zeros', POST + b'Content-Length: 005\r\n\r\nhello', 200),
    ('a length in space', POST + b'Content-Length: \t5 \r\n\r\nhello', 200),
    ('chunked in capitals', POST + b'TRANSFER-ENCODING: Chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n', 200),
    ('neither length nor coding', POST + b'\r\n', 200),
    ('an empty line before the request', b'\r\n' + POST + b'Content-Length: 5\r\n\r\nhello', 200),
    ('1.0 needs no host', b'GET / HTTP/1.0\r\n\r\n', 200),
    # Host.
    ('1.1 needs a host', b'GET / HTTP/1.1\r\n\r\n', 400),
    ('1.1 needs a host among fields', b'GET / HTTP/1.1\r\nA: b\r\n\r\n', 400),
    ('absolute form is no host', b'GET http://a.example/ HTTP/1.1\r\n\r\n', 400),
    ('absolute form and an empty host', b'GET http://a.example/ HTTP/1.1\r\nHost:\r\n\r\n', 400),
    ('two hosts in 1.0', b'GET / HTTP/1.0\r\nHost: a.example\r\nHost: b.example\r\n\r\n', 400),
    ('a space before the colon of the host', b'GET / HTTP/1.1\r\nHost : a.example\r\n\r\n', 400),
    ('a host behind a space', b'GET / HTTP/1.1\r\n Host: a.example\r\n\r\n', 400),
    ('a folded host', b'GET / HTTP/1.1\r\nHost:\r\n a.example\r\n\r\n', 400),
    # Line ends of the whole head.
    ('bare LF everywhere', b'GET / HTTP/1.1\nHost: a.example\n\n', 400),
    ('bare LF behind the request line', b'GET / HTTP/1.1\nHost: a.example\r\n\r\n', 400),
    ('bare LF behind the host', b'GET / HTTP/1.1\r\nHost: a.example\n\r\n', 400),
    ('bare LF at the end', b'GET / HTTP/1.1\r\nHost: a.example\r\n\n', 400),
    ('bare CR everywhere', b'GET / HTTP/1.1\rHost: a.example\r\r', 400),
    ('bare CR behind the request line', b'GET / HTTP/1.1\rHost: a.example\r\n\r\n', 400),
    ('bare CR at the end', b'GET / HTTP/1.1\r\nHost: a.example\r\n\rX', 400),
    ('bare LF before the request', b'\nGET / HTTP/1.1\r\nHost: a.example\r\n\r\n', 400),
    ('space before the first field', b'GET / HTTP/1.1\r\n \r\nHost: a.example\r\n\r\n', 400),
    # A length and a coding.
    ('length and chunked', POST + b'Content-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n' + SMUGGLED, 400),
    ('chunked and length', POST + b'Transfer-Encoding: chunked\r\nContent-Length: 5\r\n\r\n0\r\n\r\n' + SMUGGLED, 400),
    ('length of the whole and chunked', POST + b'Content-Length: %d\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n' % (5 + len(SMUGGLED)) + SMUGGLED, 400),
    ('length and chunked, far apart', POST + b'Content-Length: 5\r\n' + b'X: y\r\n' * 20 + b'transfer-encoding: chunked\r\n\r\n0\r\n\r\n' + SMUGGLED, 400),
    ('length and a coding in disguise', POST + b'Content-Length: 5\r\nTransfer-Encoding: xchunked\r\n\r\nhello' + SMUGGLED, 400),
    ('length and an empty coding', POST + b'Content-Length: 5\r\nTransfer-Encoding:\r\n\r\nhello' + SMUGGLED, 400),
    ('length and identity', POST + b'Content-Length: 5\r\nTransfer-Encoding: identity\r\n\r\nhello' + SMUGGLED, 400),
    ('length and chunked in 1.0', b'POST / HTTP/1.0\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n' + SMUGGLED, 400),
    ('chunked in 1.0', b'POST / HTTP/1.0\r\nHost: a.example\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n', 400),
    # Lengths that two readers see differently.
    ('two lengths, the first for the smuggler', POST + b'Content-Length: 0\r\nContent-Length: %d\r\n\r\n' % len(SMUGGLED) + SMUGGLED, 400),
    ('two lengths, the last for the smuggler', POST + b'Content-Length: %d\r\nContent-Length: 0\r\n\r\n' % len(SMUGGLED) + SMUGGLED, 400),
    ('a list of lengths', POST + b'Content-Length: 0, %d\r\n\r\n' % len(SMUGGLED) + SMUGGLED, 400),
    ('a length in another base', POST + b'Content-Length: 0x10\r\n\r\n' + SMUGGLED, 400),
    ('a length behind a NUL', POST + b'Content-Length: \x005\r\n\r\nhello' + SMUGGLED, 400),
    ('a length behind a space in its name', POST + b'Content-Length : %d\r\n\r\n' % len(SMUGGLED) + SMUGGLED, 400),
    ('a length folded away', POST + b'X: y\r\n Content-Length: %d\r\n\r\n' % len(SMUGGLED) + SMUGGLED, 400),
    # Chunks that two readers see differently.
    ('a chunk that overflows', POST + b'Transfer-Encoding: chunked\r\n\r\n10000000000000000\r\n\r\n' + SMUGGLED, 400),
    ('a size that ends in LF', POST + b'Transfer-Encoding: chunked\r\n\r\n0\n\r\n' + SMUGGLED, 400),
    ('an extension that ends in LF', POST + b'Transfer-Encoding: chunked\r\n\r\n2;\nxx\r\n4c\r\n0\r\n\r\n' + SMUGGLED, 400),
    ('a spilled chunk', POST + b'Transfer-Encoding: chunked\r\n\r\n5\r\nhelloX\r\n0\r\n\r\n' + SMUGGLED, 400),
    ('a negative chunk', POST + b'Transfer-Encoding: chunked\r\n\r\n-0\r\n\r\n' + SMUGGLED, 400),
    # Not HTTP at all.
    ('TLS', b'\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03' + bytes(range(32)) + b'\r\n\r\n', 400),
    ('SSH', b'SSH-2.0-OpenSSH_9.6\r\n\r\n', 400),
    ('SMTP', b'EHLO a.example\r\n\r\n', 400),
    ('a proxy protocol line', b'PROXY TCP4 127.0.0.1 127.0.0.1 1 2\r\n' + SMUGGLED, 400),
    ('zeros', b'\x00' * 64 + b'\r\n\r\n', 400),
    ('a response', b'HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n', 400),
    ('JSON', b'{"method": "GET"}\r\n\r\n', 400),
]  # fmt: skip


class Case(NamedTuple):
    """One stream of bytes and the status that is right."""

    why: str
    raw: bytes
    status: int
    #: The body that a handler sees where it sees one.
    body: bytes


def _case(why: str, raw: bytes, outcome: int, body: bytes = b'') -> Case:
    return Case(why, raw, outcome, body)


CASES: list[Case] = [
    *(
        _case(f'line: {why}', line + b'\r\nHost: a.example\r\n\r\n', outcome)
        for why, line, outcome in LINES
    ),
    *(
        _case(f'field: {why}', b'GET / HTTP/1.1\r\nHost: a.example\r\n' + lines + b'\r\n', outcome)
        for why, lines, outcome in FIELDS
    ),
    *(
        _case(f'host: {why}', b'GET / HTTP/1.1\r\nHost: ' + host + b'\r\n\r\n', outcome)
        for why, host, outcome in HOSTS
    ),
    *(
        _case(
            f'chunks: {why}', POST + b'Transfer-Encoding: chunked\r\n\r\n' + body, outcome, b'hello'
        )
        for why, body, outcome in CHUNKS
    ),
    *(
        _case(f'stream: {why}', raw, outcome, b'hello' if b'hello' in raw else b'')
        for why, raw, outcome in STREAMS
    ),
]
