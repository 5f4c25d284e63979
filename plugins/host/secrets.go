package host

import (
	"os"
	"strings"

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

// ofSettings reads the secrets that the settings name. Settings that cannot be read are for the plugin to refuse, with their position.
func (s *secrets) ofSettings(settings []byte) map[string]*pb.Secret {
	var tree any
	if len(settings) == 0 || strictyaml.Decode(settings, &tree) != nil {
		return nil
	}
	out := map[string]*pb.Secret{}
	texts(tree, func(ref string) {
		if !isReference(ref) || out[ref] != nil {
			return
		}
		if value, err := s.get(ref); err != nil {
			out[ref] = &pb.Secret{Answer: &pb.Secret_Problem{Problem: protocol.Line(err.Error())}}
		} else {
			out[ref] = &pb.Secret{Answer: &pb.Secret_Value{Value: []byte(value)}}
		}
	})
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
		text = strings.ReplaceAll(text, secret, "[secret]")
	}
	return text
}

// tells says whether a text holds a secret.
func (s *secrets) tells(text string) bool { return s.hide(text) != text }

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
