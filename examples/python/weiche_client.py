# SPDX-FileCopyrightText: 2026 The Weiche authors
# SPDX-License-Identifier: Apache-2.0
"""A case system in Python that speaks to Weiche over mutual TLS: with grpcio and the .proto files, nothing generated, nothing of Weiche's own code.

    pip install grpcio grpcio-tools
    python weiche_client.py --dir DIR --address localhost:8443 --as awo-bremen awo.v1.Vermittlung/FallSenden '{"anfrage_nr": "..."}'

DIR is what `weiche init DIR` wrote. Messages go in and come out as protobuf JSON.
"""

import argparse
import json
import pathlib
import queue
import sys
import tempfile

import grpc
import grpc_tools
from google.protobuf import descriptor_pb2, descriptor_pool, json_format, message_factory
from grpc_tools import protoc

PROTOS = pathlib.Path(__file__).resolve().parents[2] / "proto"


class Contract:
    """The contract, read from .proto files."""

    def __init__(self, folder=PROTOS):
        folder = pathlib.Path(folder)
        files = sorted(str(path.relative_to(folder)) for path in folder.rglob("*.proto"))
        with tempfile.NamedTemporaryFile() as compiled:
            well_known = pathlib.Path(grpc_tools.__file__).parent / "_proto"
            options = [f"-I{folder}", f"-I{well_known}", "--include_imports", f"--descriptor_set_out={compiled.name}"]
            if protoc.main(["protoc", *options, *files]) != 0:
                raise SystemExit(f"the contract in {folder} does not compile")
            contents = descriptor_pb2.FileDescriptorSet.FromString(pathlib.Path(compiled.name).read_bytes())
        self.pool = descriptor_pool.DescriptorPool()
        for file in contents.file:
            self.pool.Add(file)

    def method(self, name):
        """The method `package.Service/Method`, and the classes of its request and response."""
        service, method = name.split("/")
        found = self.pool.FindServiceByName(service).FindMethodByName(method)
        return found, message_factory.GetMessageClass(found.input_type), message_factory.GetMessageClass(found.output_type)


class CaseSystem:
    """One institution's system, connected with its certificate."""

    def __init__(self, directory, address, institution, contract=None):
        certs = pathlib.Path(directory) / "certs"
        holder = certs / "institution" / institution
        credentials = grpc.ssl_channel_credentials(
            root_certificates=(certs / "root.pem").read_bytes(),
            private_key=holder.with_suffix(".key").read_bytes(),
            certificate_chain=holder.with_suffix(".pem").read_bytes(),
        )
        self.institution = institution
        self.contract = contract or Contract()
        self.channel = grpc.secure_channel(address, credentials)

    def call(self, name, request, timeout=10):
        """Calls a method with one request and one response, both as protobuf JSON. Raises grpc.RpcError with the gateway's reason."""
        _, asked, answered = self.contract.method(name)
        method = self.channel.unary_unary(f"/{name}", asked.SerializeToString, answered.FromString)
        answer = method(json_format.ParseDict(request, asked()), timeout=timeout)
        return as_dict(answer)

    def receive(self, name, keep, first, acknowledge, timeout=30):
        """Pulls from a stream such as InboxService.Receive. `first` opens it; each item goes to `keep`, which must have stored it for good when it
        returns; only then `acknowledge(item)` is sent. Ends when `keep` returns False."""
        _, asked, answered = self.contract.method(name)
        method = self.channel.stream_stream(f"/{name}", asked.SerializeToString, answered.FromString)
        say = queue.Queue()
        say.put(first)

        def requests():
            while (request := say.get()) is not None:
                yield json_format.ParseDict(request, asked())

        items = method(requests(), timeout=timeout)
        try:
            for item in items:
                item = as_dict(item)
                more = keep(item)
                say.put(acknowledge(item))
                if more is False:
                    # Closes our side, and waits until the gateway has read the acknowledgement and closes its own.
                    say.put(None)
                    for _ in items:
                        pass
                    break
        finally:
            say.put(None)


def as_dict(message):
    """Field names as in the .proto files, so that a native system reads its own words."""
    return json_format.MessageToDict(message, preserving_proto_field_name=True)


def main():
    arguments = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    arguments.add_argument("--dir", required=True, help="what `weiche init` wrote")
    arguments.add_argument("--address", required=True, help="host:port of the institutions' listener")
    arguments.add_argument("--as", dest="institution", required=True, help="such as awo-bremen")
    arguments.add_argument("method", help="such as weiche.exchange.v1.ReferralService/ListReferrals")
    arguments.add_argument("request", nargs="?", default="{}", help="protobuf JSON, or - for standard input")
    given = arguments.parse_args()
    request = json.load(sys.stdin) if given.request == "-" else json.loads(given.request)
    try:
        answer = CaseSystem(given.dir, given.address, given.institution).call(given.method, request)
    except grpc.RpcError as refused:
        raise SystemExit(f"{refused.code().name}: {refused.details()}")
    json.dump(answer, sys.stdout, ensure_ascii=False, indent=2)
    print()


if __name__ == "__main__":
    main()
