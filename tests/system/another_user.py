"""What another user of the same machine tries against a server; a program, which is run as that user.

Standard input holds JSON: ``port``, ``folders`` of the server's owner, and what was overheard and is used up: secrets
in ``known``, private paths in ``paths``.  Prints JSON: ``readable``, files and processes that could be read, with what
they say, ``n``, the number of tries, and ``in``, those of them that were not refused.
"""

import http.client
import json
import os
import re
import sys

_SECRET = re.compile(r"[\w-]{8,}(?:\.[\w-]{8,})*")
_MAX = 3000


def readable(folders):
    """Texts of all that this user can read: process list, environments, files."""
    texts = {}
    places = [
        f"/proc/{number}/{what}"
        for number in os.listdir("/proc")
        if number.isdigit()
        for what in ("cmdline", "environ")
    ]
    for folder in folders:
        for parent, _, names in os.walk(folder):
            places += [os.path.join(parent, name) for name in names]
    for place in places:
        if place.split("/")[2] == str(os.getpid()):
            continue
        try:
            with open(place, encoding="latin-1") as file:
                texts[place] = file.read(100_000).replace("\0", " ")
        except OSError:
            continue
    return {place: text for place, text in texts.items() if text}


def ask(port, path, headers):
    """The server's answer to one request: its status."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=20)
    try:
        connection.request("GET", path, headers=headers)
        return connection.getresponse().status
    finally:
        connection.close()


def ways_in(port, secrets, paths):
    """Requests with each secret in each role."""
    yield "/runs", {}
    yield "/api/runs", {}
    for secret in secrets:
        yield f"/?token={secret}", {}
        yield "/api/runs", {"Authorization": f"Bearer {secret}"}
        cookie = {"Cookie": f"iota-{port}={secret}"}
        yield "/runs", cookie
        for path in paths:
            yield f"{path}/runs", cookie


def main():
    """Try all."""
    given = json.load(sys.stdin)
    texts = readable(given["folders"])
    seen = " ".join(texts.values())
    secrets = [*given["known"], *dict.fromkeys(_SECRET.findall(seen))][:_MAX]
    paths = [*given["paths"], *dict.fromkeys(re.findall(r"/~[\w-]+", seen))]
    answers = [
        (path, headers, ask(given["port"], path, headers)) for path, headers in ways_in(given["port"], secrets, paths)
    ]
    json.dump(
        {"readable": texts, "in": [one for one in answers if one[2] not in (401, 403)], "n": len(answers)}, sys.stdout
    )


if __name__ == "__main__":
    main()
