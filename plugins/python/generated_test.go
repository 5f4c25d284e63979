package python_test

import (
	"encoding/hex"
	"os"
	"os/exec"
	"strings"
	"testing"

	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protodesc"
	"google.golang.org/protobuf/types/descriptorpb"

	pb "github.com/harrier-xdr/harrier/plugins/protocol/connectorv1"
)

// TestTablesAreNew holds tables.json to the Go tables.
func TestTablesAreNew(t *testing.T) {
	cmd := exec.Command("go", "run", "./gen", "-")
	got, err := cmd.Output()
	if err != nil {
		t.Fatal(err)
	}
	want, err := os.ReadFile("harrier_plugin/tables.json")
	if err != nil {
		t.Fatal(err)
	}
	if string(got) != string(want) {
		t.Error("tables.json is not what the schema gives; run plugins/python/generate.sh")
	}
}

// TestStubsAreNew holds connector_pb2.py to the protocol.
func TestStubsAreNew(t *testing.T) {
	cmd := exec.Command(python(t), "-c", "from harrier_plugin import connector_pb2 as p; print(p.DESCRIPTOR.serialized_pb.hex())")
	out, err := cmd.Output()
	if err != nil {
		t.Fatal(err)
	}
	raw, err := hex.DecodeString(strings.TrimSpace(string(out)))
	if err != nil {
		t.Fatal(err)
	}
	var got descriptorpb.FileDescriptorProto
	if err := proto.Unmarshal(raw, &got); err != nil {
		t.Fatal(err)
	}
	want := protodesc.ToFileDescriptorProto(pb.File_harrier_plugin_v1_connector_proto)
	withoutJSON(got.GetMessageType())
	withoutJSON(want.GetMessageType())
	if !proto.Equal(&got, want) {
		t.Error("connector_pb2.py is not made of connector.proto; run plugins/python/generate.sh")
	}
}

// withoutJSON clears the names of fields in JSON, which one of the compilers writes and the other does not.
func withoutJSON(list []*descriptorpb.DescriptorProto) {
	for _, m := range list {
		for _, f := range m.GetField() {
			f.JsonName = nil
		}
		withoutJSON(m.GetNestedType())
	}
}
