package host_test

import (
	"cmp"
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	"github.com/harrier-xdr/harrier/plugins/host"
)

// TestPython speaks with a plugin whose gRPC is not Go's. HARRIER_PLUGIN_PYTHON names another interpreter than python3.
func TestPython(t *testing.T) {
	python, err := exec.LookPath(cmp.Or(os.Getenv("HARRIER_PLUGIN_PYTHON"), "python3"))
	if err != nil || exec.Command(python, "-c", "import grpc, cryptography").Run() != nil {
		t.Skip("needs Python 3 with grpcio and cryptography: pip install grpcio cryptography")
	}
	script, err := filepath.Abs("testdata/plugin.py")
	if err != nil {
		t.Fatal(err)
	}
	conn := open(t, host.Config{Path: python, Args: []string{script}}, setup(t))
	if d := describe(t, conn); d.Connector != "python" || d.Artifact.Name != "python" || d.Artifact.Version != "0.1" {
		t.Errorf("described %+v, %+v", d, d.Artifact)
	}
}
