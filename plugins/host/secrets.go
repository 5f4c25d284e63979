package host

import (
	"os"
	"slices"
	"strings"

	"google.golang.org/protobuf/proto"

	"github.com/harrier-xdr/harrier/hunt"
	"github.com/harrier-xdr/harrier/hunt/mapping/strictyaml"
	"github.com/harrier-xdr/harrier/plugins/protocol"
	pb "github.com/harrier-xdr/harrier/plugins/protocol/connectorv1"
)

// secrets reads secrets and remembers them, so that they can be taken out of what the plugin says.
type secrets struct {
	read  func(ref string) (string, error)
	known []string
}

// Hidden stands in texts where a secret was.
const Hidden = "[secret]"

// shortest is the length from which on a secret is taken out of texts; a shorter one would take words out.
const shortest = 8

// isReference says whether a setting names a secret.
func isReference(s string) bool {
	return strings.HasPrefix(s, "env:") || strings.HasPrefix(s, "file:")
}

func (s *secrets) get(ref string) (string, error) {
	if s.read == nil {
		return "", hunt.Errorf(hunt.BadConfig, "this gateway reads no secrets for plugins")
	}
	value, err := s.read(ref)
	if err == nil && len(value) >= shortest {
		s.known = append(s.known, value)
	}
	return value, err
}

// environment makes the variables of the process of what the configuration lists.
func (s *secrets) environment(list []string) ([]string, error) {
	var out []string
	for _, entry := range list {
		name, ref, assigned := strings.Cut(entry, "=")
		if name == "" || name == protocol.CookieKey || strings.HasPrefix(name, "PLUGIN_") {
			return nil, hunt.Errorf(hunt.BadConfig, "plugin: env: %q cannot be set; the name is empty or belongs to the protocol", name)
		}
		value, found := os.LookupEnv(name)
		var err error
		switch {
		case assigned && !isReference(ref):
			return nil, hunt.Errorf(hunt.BadConfig, "plugin: env: %s must name a secret (env:NAME or file:PATH), or stand alone to be passed on", name)
		case assigned:
			value, err = s.get(ref)
		case !found:
			return nil, hunt.Errorf(hunt.BadConfig, "plugin: env: the gateway has no variable %s to pass on", name)
		}
		if err != nil {
			return nil, hunt.Errorf(hunt.BadConfig, "plugin: env: %s: %w", name, err)
		}
		out = append(out, name+"="+value)
	}
	return out, nil
}

// References lists the references to secrets that settings (YAML) hold, each once; none if they cannot be read.
func References(settings []byte) []string {
	var tree any
	if len(settings) == 0 || strictyaml.Decode(settings, &tree) != nil {
		return nil
	}
	var out []string
	texts(tree, func(text string) {
		if isReference(text) && !slices.Contains(out, text) {
			out = append(out, text)
		}
	})
	return out
}

// ofSettings reads the secrets that the settings name. Settings that cannot be read are for the plugin to refuse, with their position.
func (s *secrets) ofSettings(settings []byte) map[string]*pb.Secret {
	out := map[string]*pb.Secret{}
	for _, ref := range References(settings) {
		if value, err := s.get(ref); err != nil {
			out[ref] = &pb.Secret{Answer: &pb.Secret_Problem{Problem: protocol.Line(err.Error())}}
		} else {
			out[ref] = &pb.Secret{Answer: &pb.Secret_Value{Value: []byte(value)}}
		}
	}
	return out
}

// texts visits every text value of decoded YAML.
func texts(tree any, visit func(string)) {
	switch t := tree.(type) {
	case string:
		visit(t)
	case []any:
		for _, x := range t {
			texts(x, visit)
		}
	case map[string]any:
		for _, x := range t {
			texts(x, visit)
		}
	}
}

// hide takes the secrets out of a text.
func (s *secrets) hide(text string) string {
	for _, secret := range s.known {
		text = strings.ReplaceAll(text, secret, Hidden)
	}
	return text
}

// tells says whether a text holds a secret.
func (s *secrets) tells(text string) bool {
	return slices.ContainsFunc(s.known, func(secret string) bool { return strings.Contains(text, secret) })
}

// describes says whether a text of a description holds a secret.
func (s *secrets) describes(d *pb.DescribeResponse) bool {
	if len(s.known) == 0 || d.GetDescription() == nil {
		return false
	}
	encoded, err := proto.Marshal(d) // texts stand in it as they are
	return err != nil || s.tells(string(encoded))
}

// hideIn takes the secrets out of an error.
func (s *secrets) hideIn(e *hunt.Error) *hunt.Error {
	if e == nil || len(s.known) == 0 {
		return e
	}
	out := *e
	out.Op, out.Source, out.Message, out.Path = s.hide(e.Op), s.hide(e.Source), s.hide(e.Message), s.hide(e.Path)
	if e.Cause != nil && s.tells(e.Cause.Error()) {
		out.Cause = hunt.Errorf(e.Code, "%s", s.hide(e.Cause.Error()))
	}
	return &out
}
