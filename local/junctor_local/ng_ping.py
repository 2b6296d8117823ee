"""A ping of rtpengine's ng protocol: `cookie` and a bencoded dictionary in one datagram, answered likewise."""

import asyncio
import secrets
import socket


async def ng_answers(host: str, port: int, timeout: float = 1.0) -> bool:
    """Whether the media server at `host`:`port` answers a ping with pong within `timeout` seconds."""
    cookie = secrets.token_hex(8).encode()
    loop = asyncio.get_running_loop()
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as client:
        client.setblocking(False)
        client.connect((host, port))
        try:
            await loop.sock_sendall(client, cookie + b" d7:command4:pinge")
            answer = await asyncio.wait_for(loop.sock_recv(client, 4096), timeout)
        except (OSError, TimeoutError):
            return False
    return answer.startswith(cookie + b" ") and b"4:pong" in answer
