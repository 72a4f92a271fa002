"""A mail server over TCP that follows a script: what it says at each stage, and where it hangs up."""

import contextlib
import socket
import socketserver
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass, field

STAGES = ("connect", "ehlo", "mail", "rcpt", "data", "middle", "end")
USUAL = {
    "connect": "220 scripted",
    "ehlo": "250-scripted\r\n250-SIZE 1000000\r\n250 8BITMIME",
    "starttls": "502 no",
    "mail": "250 sender taken",
    "rcpt": "250 recipient taken",
    "data": "354 go on",
    "middle": "",
    "end": "250 letter taken",
    "rset": "250 begin anew",
    "quit": "221 bye",
}


@dataclass
class Script:
    """``says`` replaces what is usual at a stage; "drop" hangs up there. A letter is taken when its dot was read."""

    says: dict[str, str] = field(default_factory=dict)
    pipelining: bool = False
    pause: float = 0.0
    # After so many letters a connection is ended at the next MAIL: with 421, or without a word.
    most_letters: int = 0
    politely: bool = True
    taken: list[bytes] = field(default_factory=list)
    heard: list[str] = field(default_factory=list)
    connections: int = 0
    port: int = 0

    def answer(self, stage: str) -> str:
        """What is said at a stage."""
        said = self.says.get(stage, USUAL[stage])
        return said.replace("250 8BITMIME", "250-PIPELINING\r\n250 8BITMIME") if stage == "ehlo" and self.pipelining else said


class _Dropped(Exception):  # noqa: N818 - what happens, not what is wrong
    """The connection ends here."""


class _Talk(socketserver.StreamRequestHandler):
    timeout = 10

    def handle(self) -> None:
        self.script: Script = self.server.script  # type: ignore[attr-defined]
        self.script.connections += 1
        self.letters, self.announced = 0, set[str]()
        with contextlib.suppress(_Dropped, OSError):
            self.say("connect")
            while line := self.rfile.readline():
                self.script.heard.append(line.decode().strip())
                self.obey(line[:4].decode().strip().lower())

    def obey(self, verb: str) -> None:
        stage = {"helo": "ehlo", "star": "starttls"}.get(verb, verb)
        if stage == "mail" and self.script.most_letters and self.letters >= self.script.most_letters:
            if self.script.politely:
                self.wfile.write(b"421 that was enough\r\n")
            raise _Dropped
        if self.say(stage):
            self.announced.add(stage)
        if stage == "quit":
            raise _Dropped
        if stage == "data" and self.script.answer("data").startswith("354"):
            self.read_letter()

    def read_letter(self) -> None:
        if self.script.answer("middle") == "drop":
            self.rfile.read(50)
            raise _Dropped
        content = b""
        while (line := self.rfile.readline()) != b".\r\n":
            if not line:
                raise _Dropped
            content += line
        if not self.announced >= {"mail", "rcpt"}:
            self.wfile.write(b"554 a letter to nobody\r\n")
            return
        self.announced.clear()
        if self.script.answer("end").startswith("250") or self.script.answer("end") == "drop":
            self.script.taken.append(content)
            self.letters += 1
        self.say("end")

    def say(self, stage: str) -> bool:
        """Say what the script has for a stage; returns whether it was a yes."""
        said = self.script.answer(stage)
        if said == "drop":
            raise _Dropped
        time.sleep(self.script.pause)
        self.wfile.write(said.encode() + b"\r\n")
        return said.startswith("2")


class _Server(socketserver.ThreadingTCPServer):
    allow_reuse_address = True
    daemon_threads = False

    def __init__(self, script: Script, port: int) -> None:
        self.script = script
        super().__init__(("127.0.0.1", port), _Talk)

    def shutdown_request(self, request: socket.socket | tuple[bytes, socket.socket]) -> None:
        """Close without waiting for what is still unread: the other side sees the connection end at once."""
        self.close_request(request)


@contextlib.contextmanager
def serving(script: Script, port: int = 0) -> Iterator[Script]:
    """Serve the script until the block ends."""
    with _Server(script, port) as server:
        script.port = server.server_address[1]
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        try:
            yield script
        finally:
            server.shutdown()
            thread.join()
