"""The least mail server there can be: it takes every letter, keeps none, and says at its end how many came and how fast."""

import asyncio
import json
import signal
import sys
import time


class Tally:
    """How many letters came, and when the first and the last did."""

    def __init__(self) -> None:
        self.count, self.first, self.last = 0, 0.0, 0.0

    def took(self) -> None:
        """One more letter."""
        self.last = time.monotonic()
        self.first = self.first or self.last
        self.count += 1


async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, tally: Tally, greeting: bytes) -> None:
    """One connection: a line is a command; DATA is read to its dot."""
    writer.write(b"220 sink\r\n")
    while line := await reader.readline():
        verb = line[:4].upper()
        if verb == b"DATA":
            writer.write(b"354 go on\r\n")
            await reader.readuntil(b"\r\n.\r\n")
            tally.took()
            writer.write(b"250 taken\r\n")
        elif verb == b"EHLO":
            writer.write(greeting)
        elif verb == b"QUIT":
            writer.write(b"221 bye\r\n")
            break
        else:
            writer.write(b"250 yes\r\n")
    writer.close()


async def serve(port: int, *, pipelining: bool) -> None:
    """Serve until SIGTERM."""
    tally, stop = Tally(), asyncio.Event()
    greeting = b"250-sink\r\n" + (b"250-PIPELINING\r\n" if pipelining else b"") + b"250 8BITMIME\r\n"
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, stop.set)
    server = await asyncio.start_server(lambda reader, writer: talk(reader, writer, tally, greeting), "127.0.0.1", port)
    sys.stdout.write("ready\n")
    sys.stdout.flush()
    await stop.wait()
    server.close()
    sys.stdout.write(json.dumps({"letters": tally.count, "seconds": tally.last - tally.first}))


if __name__ == "__main__":
    asyncio.run(serve(int(sys.argv[1]), pipelining="pipelining" in sys.argv))
