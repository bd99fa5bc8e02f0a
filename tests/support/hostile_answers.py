"""What a hostile server says beside the bytes: each line once broke something, or could."""

from __future__ import annotations

DIGITS = "1" * 5000
"""More than Python makes a number of."""

TARGETS = (
    *("http://a..b/", "http://xn--a/", f"http://{'a' * 70}.example/", "https://.example/"),
    *("http://[::1", "http://[v1.x]/", "http://1.2.3.4.5:99999/", f"http://a:{DIGITS}/"),
    *("file:///etc/hostname", "file:///dev/zero", "ftp://a/", "data:,x", "//", "http:", "?", ""),
    *("http://a b/", "http://a\tb/", "http://a%00b/", "http://\xff.example/", "http://\xe9@/"),
    *("http://me:secret@a..b/", "http://-/", "\x7f", "\\\\server\\share", "http://a.example:-1/"),
)
"""Where a redirect may lead, none of which anybody can be asked for."""

DATES = (
    "Mon, 99999999999999999999 Jan 2020 00:00:00 GMT",
    "Mon, 01 Jan 2020 00:00:00 +999999999999999",
    "Mon, 01 Jan 0001 00:00:00 +2359",
    "Fri, 31 Dec 9999 23:59:59 -2359",
    *("-1", "1e9", "\xb2", DIGITS, "0x1", ",", "()"),
)

HEADERS = (
    *(f"Content-Range: bytes {DIGITS}-{DIGITS}/{DIGITS}", "Content-Range: bytes 3-2/1"),
    *("Content-Range: bytes -1-2/*", "Content-Range: \xb2", f"Content-Range: bytes 4-9/{DIGITS}"),
    *(f"Retry-After: {date}" for date in DATES),
    *(f"Date: {date}" for date in DATES),
    *(f"Last-Modified: {date}" for date in DATES[:2]),
    *("ETag: x", 'ETag: W/"x"', f'ETag: "{DIGITS}"', 'ETag: "\xff"'),
    *("Content-Encoding: gzip", "Content-Encoding: \xff", "Content-Encoding: br, identity"),
    *("Content-Type: \xff", "Content-Type: text/plain; charset=nowhere", "Content-Type: text/html"),
    *(
        "Set-Cookie: a=b; Max-Age=" + DIGITS,
        "Set-Cookie: a=b; Expires=" + DATES[0],
        "Set-Cookie: =",
    ),
    *("Transfer-Encoding: gzip", "Transfer-Encoding: chunked, chunked", "Upgrade: h2c"),
    *("Connection: upgrade", "WWW-Authenticate: \xff", "Proxy-Authenticate: Basic", "Trailer: x"),
    *("Content-Length: -1", f"Content-Length: {DIGITS}", "Content-Length: \xb2", "Location: /"),
    *(f"Location: {target}" for target in TARGETS),
)
"""Lines of an answer's head, in ISO 8859-1."""

STATUSES = (
    *("200 OK", "206 Partial Content", "204 No Content", "302 Found", "304 Not Modified", "308 X"),
    *("401 X", "404 X", "407 X", "408 X", "416 X", "429 X", "503 X", "599 X", "999 X", "000 X"),
    *("101 X", "103 X", "200 " + "\xff" * 99, "200", f"{DIGITS} X", "-1 X"),
)

PAGES = (
    *("<![x<a href='y'>", f"<a href='&#{DIGITS};'>x</a>", "<a href='http://[x'>x</a>"),
    *("<base href='http://a..b/'><a href='x'>", "<!DOCTYPE [<!ELEMENT", "<meta name=go-import>"),
    *("<", "</", "<a", "\x00", "{", "[", "{}", '{"files": 1}', '{"files": [{}]}'),
    f'{{"files": [{{"filename": "x", "url": "y", "size": {DIGITS}}}]}}',
    '{"files": [{"filename": "x", "url": "http://[x", "hashes": {}}]}',
    '{"dl": "http://a..b/"}',
    "[" * 100_000,
)
"""Bodies, where a page is expected."""
