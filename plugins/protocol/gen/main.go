package main

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"

	"github.com/bufbuild/protocompile"
	"github.com/bufbuild/protocompile/protoutil"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/descriptorpb"
	"google.golang.org/protobuf/types/pluginpb"
)

const (
	folder = "plugins/protocol"
	file   = "connector.proto"
	// registered is the name under which programs know the file; the registry of protobuf is one for a whole program.
	registered = "harrier/plugin/v1/connector.proto"
	// module is cut off the names of generated files, so that they are relative to the root.
	module = "github.com/harrier-xdr/harrier"
)

// generators lists the programs that turn a descriptor into Go. They are tools of go.mod.
func generators() []string {
	return []string{"google.golang.org/protobuf/cmd/protoc-gen-go", "google.golang.org/grpc/cmd/protoc-gen-go-grpc"}
}

func main() {
	if err := run(context.Background()); err != nil {
		fmt.Fprintln(os.Stderr, "gen:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context) error {
	descriptor, err := compile(ctx)
	if err != nil {
		return err
	}
	for _, g := range generators() {
		if err := generate(ctx, g, descriptor); err != nil {
			return fmt.Errorf("%s: %w", g, err)
		}
	}
	return nil
}

// compile reads the protocol with its comments.
func compile(ctx context.Context) (*descriptorpb.FileDescriptorProto, error) {
	c := protocompile.Compiler{
		Resolver:       protocompile.WithStandardImports(&protocompile.SourceResolver{ImportPaths: []string{folder}}),
		SourceInfoMode: protocompile.SourceInfoStandard,
	}
	files, err := c.Compile(ctx, file)
	if err != nil {
		return nil, err
	}
	descriptor := protoutil.ProtoFromFileDescriptor(files[0])
	descriptor.Name = proto.String(registered)
	return descriptor, nil
}

// generate asks one generator, which speaks CodeGeneratorRequest on its standard input, and writes what it answers.
func generate(ctx context.Context, generator string, d *descriptorpb.FileDescriptorProto) error {
	request, err := proto.Marshal(&pluginpb.CodeGeneratorRequest{
		FileToGenerate: []string{registered},
		Parameter:      proto.String("module=" + module),
		ProtoFile:      []*descriptorpb.FileDescriptorProto{d},
	})
	if err != nil {
		return err
	}
	var out, problems bytes.Buffer
	cmd := exec.CommandContext(ctx, "go", "run", generator)
	cmd.Stdin, cmd.Stdout, cmd.Stderr = bytes.NewReader(request), &out, &problems
	if err := cmd.Run(); err != nil {
		return fmt.Errorf("%w: %s", err, problems.String())
	}
	var response pluginpb.CodeGeneratorResponse
	if err := proto.Unmarshal(out.Bytes(), &response); err != nil {
		return err
	}
	if response.Error != nil {
		return fmt.Errorf("%s", response.GetError())
	}
	for _, f := range response.File {
		if err := os.WriteFile(filepath.FromSlash(f.GetName()), []byte(f.GetContent()), 0o644); err != nil {
			return err
		}
	}
	return nil
}
