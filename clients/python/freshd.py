"""A client of freshd for Python 3.9 and later: one file, the standard library only.

Rule: each call is one request on the daemon's Unix socket, so there is no state to go stale and nothing to close. A token is
never printed: neither in an error nor in a repr.

    client = freshd.connect()
    client.token("claude").access_token
    client.urlopen("claude", urllib.request.Request("https://api.example/v1/things"))
    for event in client.events(): ...

The calls are those of docs/api.md.
"""

import http.client
import json
import os
import random
import socket
import sys
import time
import urllib.error
import urllib.parse
import urllib.request
from dataclasses import dataclass, field, fields
from typing import Any, Iterator, Optional, Sequence

__all__ = ["Client", "Event", "FreshdError", "Token", "connect"]


@dataclass(frozen=True)
class Token:
    """An access token; `chain` is the name by which it was asked for, if that is one of a chain. `scheme` is "bearer", or the header that holds the token bare. `expires_at` is ISO 8601 in UTC, `expires_in` whole seconds; both None for one that does not expire."""

    credential: str
    access_token: str = field(repr=False)
    token_type: str
    expires_in: Optional[int]
    expires_at: Optional[str]
    generation: int
    refreshable: bool
    durable: bool
    chain: Optional[str] = None
    scheme: str = "bearer"


@dataclass(frozen=True)
class Event:
    """`type` is token, phase, chain, alert or synchronized; `data` its members, a token's value among them."""

    type: str
    data: "dict[str, Any]" = field(repr=False)
    id: Optional[str] = None


class FreshdError(Exception):
    """`code` is the daemon's, or no_daemon, permission_denied, timeout, broken. `remedy` and `nearest` where they are known."""

    def __init__(self, code: str, message: str, body: "Optional[dict[str, Any]]" = None):
        super().__init__(message)
        self.code = code
        self.body = body or {}
        self.remedy: Optional[str] = self.body.get("remedy")
        self.nearest: Optional[str] = self.body.get("nearest")


def connect(socket_path: Optional[str] = None, consumer: Optional[str] = None) -> "Client":
    """A client for the first place where a daemon answers. Raises FreshdError no_daemon, permission_denied."""
    places = [socket_path] if socket_path else _places()
    trouble = None
    for place in places:
        client = Client(place, consumer)
        try:
            client.request("GET", "/v1/health/live")
            return client
        except FreshdError as error:
            trouble = error
            if error.code != "no_daemon":
                raise
    raise FreshdError("no_daemon", f"nobody listens on {' or '.join(places)}; start it with: freshd run") from trouble


class Client:
    """`consumer` is who asks, for `freshd status` and for reports: unlike any other process."""

    def __init__(self, socket_path: str, consumer: Optional[str] = None):
        self.socket_path = socket_path
        self.consumer = consumer or _default_consumer()

    def token(
        self,
        name: str,
        min_valid: Optional[float] = None,
        after_generation: Optional[int] = None,
        wait: Optional[float] = None,
    ) -> Token:
        """The present token; with `wait` (seconds, at most 60) one that stays valid `min_valid` seconds, or a newer one."""
        query = {
            "min_valid_seconds": min_valid,
            "after_generation": after_generation,
            "wait_seconds": wait and min(wait, _WAIT_SECONDS_MAX),
            "consumer": self.consumer,
        }
        return _token(self.request("GET", _path("tokens", name), query, timeout=_ANSWER_SECONDS + (wait or 0)))

    def report(
        self, name: str, generation: int, http_status: int = 401, body: Optional[str] = None, wait: float = 0
    ) -> "Token | dict[str, Any]":
        """Says that a server refused that generation: what became of it, or with `wait` the next token."""
        rejection = {"generation": generation, "http_status": http_status, "consumer": self.consumer}
        if body is not None:
            rejection["body"] = body[:_REFUSAL_LENGTH_MAX]
        answer = self.request(
            "POST",
            _path("tokens", name) + "/rejections",
            {"wait_seconds": min(wait, _WAIT_SECONDS_MAX) or None},
            rejection,
            timeout=_ANSWER_SECONDS + wait,
        )
        return _token(answer) if "access_token" in answer else answer

    def urlopen(self, name: str, request: urllib.request.Request, wait: float = 30, timeout: float = 60) -> Any:
        """As urllib.request.urlopen, with the token; after a 401 it is reported, and the request sent once more.

        Only if the generation is another one then, and the body can be sent again (bytes, or none).
        """
        token = self._usable(name, wait)
        try:
            return _open(request, token, timeout)
        except urllib.error.HTTPError as error:
            if error.code != 401:
                raise
            is_replayable = request.data is None or isinstance(request.data, bytes)
            newer = self._after(name, token, wait if is_replayable else 0)
            if not is_replayable or newer is None or newer.generation == token.generation:
                raise
            error.close()
            return _open(request, newer, timeout)

    def events(self, names: Sequence[str] = ()) -> Iterator[Event]:
        """The present state, then each change, for ever: comes back by itself, and goes on where it was.

        Raises FreshdError only where the daemon refuses (an unknown name) or may not be asked.
        """
        last_id: Optional[str] = None
        pause = _PAUSE_SECONDS_MIN
        while True:
            try:
                for event in self._stream(names, last_id):
                    last_id = event.id or last_id
                    pause = _PAUSE_SECONDS_MIN
                    yield event
            except FreshdError as error:
                if error.code not in ("no_daemon", "broken", "timeout", "too_many_subscribers"):
                    raise
            time.sleep(pause * random.uniform(0.5, 1))
            pause = min(_PAUSE_SECONDS_MAX, pause * 2)

    def request(
        self,
        method: str,
        path: str,
        query: "Optional[dict[str, Any]]" = None,
        body: "Optional[dict[str, Any]]" = None,
        timeout: float = 10,
    ) -> "dict[str, Any]":
        """One call of docs/api.md. Raises FreshdError for every answer that is no success."""
        connection = _UnixConnection(self.socket_path, timeout)
        try:
            response = self._send(connection, method, path, query, body, {})
            try:
                answer = json.loads(response.read())
            except (OSError, http.client.HTTPException, ValueError) as error:
                raise FreshdError("broken", f"expected JSON from {self.socket_path}; is this socket freshd's?") from error
        finally:
            connection.close()
        _raise_refusal(response.status, answer)
        return answer

    def _usable(self, name: str, wait: float) -> Token:
        try:
            return self.token(name)
        except FreshdError as error:
            if error.code != "temporarily_unavailable":
                raise
            return self.token(name, wait=wait)

    def _after(self, name: str, token: Token, wait: float) -> Optional[Token]:
        """The next token, or None where none comes: the caller has an answer that says what is wrong."""
        try:
            answer = self.report(name, token.generation, wait=wait)
            return answer if isinstance(answer, Token) else None
        except FreshdError:
            return None

    def _stream(self, names: Sequence[str], last_id: Optional[str]) -> Iterator[Event]:
        connection = _UnixConnection(self.socket_path, _SILENCE_SECONDS_MAX)
        try:
            headers = {"Accept": "text/event-stream", **({"Last-Event-ID": last_id} if last_id else {})}
            query = {"consumer": self.consumer, "credential": list(names)}
            response = self._send(connection, "GET", "/v1/events", query, None, headers)
            if response.status != 200:
                _raise_refusal(response.status, json.loads(response.read()))
            yield from _events(response)
        except (OSError, http.client.HTTPException) as error:
            raise FreshdError("broken", f"the connection to {self.socket_path} ended") from error
        finally:
            connection.close()

    def _send(
        self,
        connection: "_UnixConnection",
        method: str,
        path: str,
        query: "Optional[dict[str, Any]]",
        body: "Optional[dict[str, Any]]",
        headers: "dict[str, str]",
    ) -> http.client.HTTPResponse:
        asked = {key: value for key, value in (query or {}).items() if value is not None}
        target = path + ("?" + urllib.parse.urlencode(asked, doseq=True) if asked else "")
        payload = None if body is None else json.dumps(body).encode()
        try:
            connection.request(method, target, payload, {"Content-Type": "application/json", **headers})
            return connection.getresponse()
        except (FileNotFoundError, NotADirectoryError, ConnectionRefusedError) as error:
            raise FreshdError("no_daemon", f"nobody listens on {self.socket_path}; start it with: freshd run") from error
        except PermissionError as error:
            raise FreshdError("permission_denied", f"this user may not open {self.socket_path}") from error
        except socket.timeout as error:
            raise FreshdError("timeout", f"no answer from {self.socket_path} in time") from error
        except (OSError, http.client.HTTPException) as error:
            raise FreshdError("broken", f"the connection to {self.socket_path} broke") from error


class _UnixConnection(http.client.HTTPConnection):
    def __init__(self, path: str, timeout: float):
        super().__init__("localhost", timeout=timeout)
        self._path = path

    def connect(self) -> None:
        self.sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self.sock.settimeout(self.timeout)
        self.sock.connect(self._path)


def _open(request: urllib.request.Request, token: Token, timeout: float) -> Any:
    header, value = token.scheme, token.access_token
    if header == "bearer":
        kind = "Bearer" if token.token_type.lower() == "bearer" else token.token_type
        header, value = "Authorization", f"{kind} {token.access_token}"
    # Unredirected: a server that sends us elsewhere must not make us show the token there.
    request.add_unredirected_header(header, value)
    try:
        return urllib.request.urlopen(request, timeout=timeout)
    finally:
        # The next token may be carried by another header, and this one must not go along.
        request.unredirected_hdrs.pop(header.capitalize(), None)


def _events(lines: "Iterator[bytes] | http.client.HTTPResponse") -> Iterator[Event]:
    kind, data, last_id = "message", [], None
    for raw in lines:
        line = raw.decode("utf-8").rstrip("\r\n")
        name, _, value = line.partition(":")
        value = value[1:] if value.startswith(" ") else value
        if line == "":
            if data:
                yield Event(kind, json.loads("\n".join(data)), last_id)
            kind, data = "message", []
        elif name == "event":
            kind = value
        elif name == "data":
            data.append(value)
        elif name == "id":
            last_id = value


def _raise_refusal(status: int, answer: Any) -> None:
    if status < 400:
        return
    body = answer if isinstance(answer, dict) else {}
    message = body.get("error_description", f"the daemon answered {status}")
    raise FreshdError(str(body.get("error", "broken")), message, body)


def _token(answer: "dict[str, Any]") -> Token:
    # A later daemon may say more than this file understands.
    return Token(**{member.name: answer[member.name] for member in fields(Token) if member.name in answer})


def _path(kind: str, name: str) -> str:
    return f"/v1/{kind}/{urllib.parse.quote(name, safe='')}"


def _default_consumer() -> str:
    script = os.path.basename(sys.argv[0] if sys.argv else "") or "python"
    printable = "".join(letter if "!" <= letter <= "~" else "_" for letter in script)
    return f"{printable[:50]}-{os.getpid()}"


def _places() -> "list[str]":
    """Where the daemon's socket may be, best guess first; a configuration is not read: set FRESHD_SOCKET for another place."""
    named = os.environ.get("FRESHD_SOCKET")
    if named:
        return [os.path.abspath(os.path.expanduser(named))]
    environ = os.environ.get
    runtime, state_home = environ("XDG_RUNTIME_DIR"), environ("XDG_STATE_HOME")
    directories = [
        (environ("RUNTIME_DIRECTORY") or "").split(":")[0],
        os.path.join(runtime, "freshd") if runtime else "",
        (environ("STATE_DIRECTORY") or "").split(":")[0],
        os.path.join(state_home, "freshd") if state_home else "",
        os.path.expanduser("~/Library/Application Support/freshd") if sys.platform == "darwin" else "",
        os.path.expanduser("~/.local/state/freshd"),
        "/run/freshd",
        "/var/lib/freshd",
    ]
    return [os.path.join(directory, "freshd.sock") for directory in dict.fromkeys(directories) if directory]


# An answer takes a millisecond; a machine that swaps gets ten seconds.
_ANSWER_SECONDS = 10
# What the daemon admits in one request; whoever would wait longer asks again.
_WAIT_SECONDS_MAX = 60
# What the daemon takes in a report.
_REFUSAL_LENGTH_MAX = 16_384
# Two heartbeats and a half: a daemon that is stopped is noticed, a busy one is not.
_SILENCE_SECONDS_MAX = 37.5
# A daemon that restarts is back within a second; one that is down for long is asked this often.
_PAUSE_SECONDS_MIN = 0.1
_PAUSE_SECONDS_MAX = 5
