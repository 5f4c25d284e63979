package host_test

import (
	"context"
	"crypto/tls"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials"
	"google.golang.org/grpc/credentials/insecure"

	pb "github.com/harrier-xdr/harrier/plugins/protocol/connectorv1"
)

// TestMutualTLS holds that nobody but its host can call a plugin.
func TestMutualTLS(t *testing.T) {
	folder := ""
	for _, n := range describe(t, open(t, config(t, "notes"), setup(t))).Notes {
		if dir, ok := strings.CutPrefix(n, "PLUGIN_UNIX_SOCKET_DIR="); ok {
			folder = dir
		}
	}
	sockets, err := filepath.Glob(filepath.Join(folder, "*"))
	if err != nil || len(sockets) != 1 {
		t.Fatalf("sockets in %q: %v, %v", folder, sockets, err)
	}
	for name, c := range map[string]credentials.TransportCredentials{
		"no certificate": credentials.NewTLS(&tls.Config{InsecureSkipVerify: true}), "no TLS": insecure.NewCredentials(),
	} {
		conn, err := grpc.NewClient("unix:"+sockets[0], grpc.WithTransportCredentials(c))
		if err != nil {
			t.Fatal(err)
		}
		ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
		if _, err := pb.NewConnectorClient(conn).Describe(ctx, &pb.DescribeRequest{}); err == nil || ctx.Err() != nil {
			t.Errorf("%s: a stranger was answered, or not refused: %v", name, err)
		}
		cancel()
		if err := conn.Close(); err != nil {
			t.Error(err)
		}
	}
}
