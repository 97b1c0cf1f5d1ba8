#!/usr/bin/env python3
"""Many clients at once, slow ones and hostile ones, against `rnn classify serve`.

  tests/stress/serve.py RNN MODEL

200 concurrent requests: no error. 40 clients that send a byte a second: a fast one is not held up by
more than 100 ms. 700 of them, more than there are places, then as many that do not read their answers,
then as many that stay when they were refused: a fast one is answered within 5 s.
Half-closed connections: answered. Bodies over the limit, chunked or not: 413. A flood of 400 bodies of
3.9 MB each, most of which are sent away: the memory is given back, all but 32 MB. Prints the figures
and ends with 1 when one of these does not hold. Standard library only.
"""
import asyncio
import json
import resource
import socket
import subprocess
import sys
import time

import training

TEXT = "The soup was cold, the bread was not, and nobody said a word about either of them."


def request(path, body, host):
    data = json.dumps(body).encode()
    head = (f"POST {path} HTTP/1.1\r\nHost: {host}\r\nContent-Type: application/json\r\n"
            f"Content-Length: {len(data)}\r\nConnection: close\r\n\r\n")
    return head.encode() + data


async def exchange(host, port, data):
    """Status and seconds of one request over a connection of its own."""
    start = time.perf_counter()
    reader, writer = await asyncio.open_connection(host, port)
    try:
        writer.write(data)
        await writer.drain()
        answer = await reader.read()
    finally:
        writer.close()
    return int(answer.split(b" ", 2)[1]) if answer else 0, time.perf_counter() - start


def percentile(values, share):
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(share * len(ordered)))]


async def many(host, port, name, clients, each):
    data = request("/v1/predict", {"text": TEXT}, name)

    async def client():
        return [await exchange(host, port, data) for _ in range(each)]

    start = time.perf_counter()
    results = [one for part in await asyncio.gather(*[client() for _ in range(clients)])
               for one in part]
    seconds = time.perf_counter() - start
    errors = sum(status != 200 for status, _ in results)
    times = [spent for _, spent in results]
    print(f"{clients} clients, {len(results)} requests: {errors} errors, "
          f"{len(results) / seconds:.0f} requests/s, median {1e3 * percentile(times, .5):.1f} ms, "
          f"p99 {1e3 * percentile(times, .99):.1f} ms, slowest {1e3 * max(times):.1f} ms")
    return errors == 0


async def fast_ones(host, port, name, count=50):
    data = request("/v1/predict", {"text": TEXT}, name)
    times = []
    for _ in range(count):
        status, spent = await exchange(host, port, data)
        if status != 200:
            return None
        times.append(spent)
    return times


async def slow_clients(host, port, name, count=40):
    alone = await fast_ones(host, port, name)
    data = request("/v1/predict", {"text": TEXT}, name)
    cut_off = 0

    async def slow():
        nonlocal cut_off
        reader, writer = await asyncio.open_connection(host, port)
        try:
            for byte in data:
                writer.write(bytes([byte]))
                await writer.drain()
                await asyncio.sleep(1)
        except ConnectionError:
            cut_off += 1
        finally:
            writer.close()

    tasks = [asyncio.create_task(slow()) for _ in range(count)]
    await asyncio.sleep(1)
    beside = await fast_ones(host, port, name)
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
    if alone is None or beside is None:
        print("a fast request failed")
        return False
    delay = 1e3 * (percentile(beside, .99) - percentile(alone, .5))
    print(f"{count} slow clients: a fast request takes {1e3 * percentile(alone, .5):.1f} ms alone "
          f"(median), beside them {1e3 * percentile(beside, .5):.1f} ms (median), "
          f"{1e3 * percentile(beside, .99):.1f} ms (p99)")
    return delay < 100


async def too_large(host, port, name):
    large = b'{"text": "' + b"a" * (10 << 20) + b'"}'
    plain = (f"POST /v1/predict HTTP/1.1\r\nHost: {name}\r\nContent-Type: application/json\r\n"
             f"Content-Length: {len(large)}\r\n\r\n").encode() + large
    chunk = large[:65536]
    chunked = (f"POST /v1/predict HTTP/1.1\r\nHost: {name}\r\nContent-Type: application/json\r\n"
               "Transfer-Encoding: chunked\r\n\r\n").encode()
    chunked += b"".join(b"%x\r\n%s\r\n" % (len(chunk), chunk) for _ in range(160)) + b"0\r\n\r\n"
    statuses = []
    for data in (plain, chunked):
        try:
            statuses.append((await exchange(host, port, data))[0])
        except ConnectionError:
            statuses.append(0)
    print(f"10 MB body: status {statuses[0]}; 10 MB in chunks: status {statuses[1]}")
    return statuses == [413, 413]


async def half_closed(host, port, name, count=50):
    data = request("/v1/predict", {"text": TEXT}, name).replace(b"Connection: close\r\n", b"")

    async def client():
        reader, writer = await asyncio.open_connection(host, port)
        writer.write(data)
        writer.write_eof()
        answer = await reader.read()
        writer.close()
        return answer.startswith(b"HTTP/1.1 200")

    good = sum(await asyncio.gather(*[client() for _ in range(count)]))
    print(f"{count} connections half-closed after a request: {good} answered, all closed")
    return good == count


async def no_places(host, port, name, kind, data, count=700):
    """More clients than the server has places, which send this every second and read nothing, and come
    again when they are cut off."""
    stop = asyncio.Event()

    async def rude():
        while not stop.is_set():
            try:
                # What arrives stays in the system's buffer, which is small.
                client = socket.socket()
                client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
                client.setblocking(False)
                await asyncio.get_running_loop().sock_connect(client, (host, port))
                _, writer = await asyncio.open_connection(sock=client, limit=1)
                while not stop.is_set() and not writer.is_closing():
                    writer.write(data)
                    await asyncio.sleep(1)
                writer.close()
            except OSError:
                pass

    tasks = [asyncio.create_task(rude()) for _ in range(count)]
    await asyncio.sleep(2)
    data, times, failed = request("/v1/predict", {"text": TEXT}, name), [], 0
    for _ in range(10):
        try:
            status, spent = await asyncio.wait_for(exchange(host, port, data), 30)
            failed += status != 200
            times.append(spent)
        except (OSError, asyncio.TimeoutError):
            failed += 1
    stop.set()
    await asyncio.gather(*tasks)
    print(f"{count} clients that {kind}: of 10 fast requests {failed} failed, the slowest took "
          f"{max(times, default=0):.2f} s")
    return failed == 0 and max(times) < 5


async def flood(host, port, name, pid, count=400):
    await fast_ones(host, port, name)
    before = training.resident(pid) / 1e6
    body = {"text": "soup " * 780000}
    data = request("/v1/predict", body, name)
    peak = 0

    async def client():
        try:
            return (await exchange(host, port, data))[0]
        except OSError:
            return 0

    tasks = [asyncio.create_task(client()) for _ in range(count)]
    waiting = set(tasks)
    while waiting:
        _, waiting = await asyncio.wait(waiting, timeout=0.05)
        peak = max(peak, training.resident(pid) / 1e6)
    statuses = [task.result() for task in tasks]
    await fast_ones(host, port, name)
    await asyncio.sleep(1)
    after = training.resident(pid) / 1e6
    print(f"{count} bodies of {len(data) / 1e6:.1f} MB at once: {statuses.count(200)} answered, "
          f"{statuses.count(503)} sent away, {statuses.count(0)} cut off; memory {before:.0f} MB "
          f"before, {peak:.0f} MB at most, {after:.0f} MB after")
    return statuses.count(200) > 0 and after < before + 32


async def main():
    limit = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (limit, limit))
    with subprocess.Popen([sys.argv[1], "classify", "serve", "--model", sys.argv[2], "--port", "0"],
                          stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True) as server:
        port = int(server.stdout.readline().rstrip("/\n").rsplit(":", 1)[1])
        place = ("127.0.0.1", port, f"127.0.0.1:{port}")
        try:
            good = [await many(*place, clients=200, each=5), await slow_clients(*place),
                    await half_closed(*place), await too_large(*place)]
            pages = f"GET / HTTP/1.1\r\nHost: {place[2]}\r\n\r\n".encode() * 10
            for kind, data in (("send a byte a second", b"G"), ("do not read", pages),
                               ("do not go when refused", b"rubbish\r\n\r\n")):
                good.append(await no_places(*place, kind, data))
            good += [await flood(*place, server.pid),
                     await many(*place, clients=1, each=100)]
        finally:
            server.terminate()
    print(f"the server ended with {server.returncode}")
    return 0 if all(good) and server.returncode == 0 else 1


sys.exit(asyncio.run(main()))
