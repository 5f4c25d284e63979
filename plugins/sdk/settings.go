package sdk

import (
	"bytes"
	"path/filepath"
	"strings"

	"github.com/harrier-xdr/harrier/hunt"
	"github.com/harrier-xdr/harrier/hunt/mapping/strictyaml"
	pb "github.com/harrier-xdr/harrier/plugins/protocol/connectorv1"
)

func (s *server) setup(r *pb.OpenRequest) Setup {
	return Setup{
		ID:     hunt.Identity{Tenant: r.GetTenant(), Connection: r.GetConnection()},
		Decode: decoder(r),
		Path:   func(p string) string { return relative(r.GetBaseFolder(), p) },
		Secret: func(ref string) (string, error) { return secret(r, ref) },
		Log:    s.log,
	}
}

// decoder decodes the settings. Blank lines stand for what comes before them in their file, so that positions are those of the file.
func decoder(r *pb.OpenRequest) func(any) error {
	return func(into any) error {
		if len(bytes.TrimSpace(r.GetSettings())) == 0 {
			return nil
		}
		before := strings.Repeat("\n", int(min(max(0, r.GetSettingsLine()-1), 1<<20)))
		if err := strictyaml.Decode(append([]byte(before), r.GetSettings()...), into); err != nil {
			return &hunt.Error{Op: "settings", Source: r.GetSettingsFile(), Code: hunt.BadConfig, Message: strictyaml.Message(err)}
		}
		return nil
	}
}

func relative(base, path string) string {
	if path == "" || base == "" || filepath.IsAbs(path) {
		return path
	}
	return filepath.Join(base, path)
}

func secret(r *pb.OpenRequest, ref string) (string, error) {
	switch answer := r.GetSecrets()[ref].GetAnswer().(type) {
	case *pb.Secret_Value:
		return string(answer.Value), nil
	case *pb.Secret_Problem:
		return "", hunt.Errorf(hunt.BadConfig, "%s", answer.Problem)
	}
	return "", hunt.Errorf(hunt.BadConfig, "a secret of the settings is no reference; write env:NAME or file:PATH there")
}
