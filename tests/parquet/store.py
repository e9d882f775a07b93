"""A store that speaks S3, on 127.0.0.1 and a free port, until the signal TERM.

Prints the address of a bucket as a destination takes it.
"""

import logging
import signal
import urllib.request

from moto.server import ThreadedMotoServer

BUCKET = "orgtide-test"

signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGTERM])
logging.getLogger("werkzeug").setLevel(logging.ERROR)
server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
server.start()
host, port = server.get_host_and_port()
request = urllib.request.Request(f"http://{host}:{port}/{BUCKET}", method="PUT")
urllib.request.build_opener(urllib.request.ProxyHandler({})).open(request).close()
print(f"s3://{BUCKET}?region=us-east-1&endpoint=http://{host}:{port}", flush=True)
signal.sigwait([signal.SIGTERM])
server.stop()
