#!/usr/bin/env bash
# The simulated detector of libertem-dectris sends the header of a series as two messages.
#
# One would guess: as from a real SIMPLON 1 stream, the header with "basic" detail is one ZeroMQ message of two parts.
# What happens: the two parts come as two messages of one part each; a receiver that expects the header in one message waits for the rest.
# Images are sent as one message of four parts, as they should be.
# Seen with: libertem-dectris 0.3.2, pyzmq 27.3.0, numpy 2.4.6
. "$(dirname "${BASH_SOURCE[0]}")/common.sh"
installs libertem-dectris==0.3.2 pyzmq==27.3.0 numpy==2.4.6

seen="1 part(s): dheader-1.0
1 part(s): configuration
4 part(s): dimage-1.0
1 part(s): dseries_end-1.0"
came_out=$("$python" - <<'CODE'
import json
import threading

import libertem_dectris
import zmq

detector = libertem_dectris.DectrisSim.new_mocked("tcp://127.0.0.1", 1, random_port=True)
socket = zmq.Context().socket(zmq.PULL)
socket.setsockopt(zmq.RCVTIMEO, 20000)
socket.connect(detector.get_uri())


def send():
    detector.send_headers()
    detector.send_frames(1)
    detector.send_footer()


threading.Thread(target=send, daemon=True).start()
kind = ""
while kind != "dseries_end-1.0":
    parts = socket.recv_multipart()
    kind = json.loads(parts[0]).get("htype", "configuration")
    print(f"{len(parts)} part(s): {kind}")
CODE
)
compare "$seen" "$came_out"
