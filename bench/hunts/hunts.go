package hunts

import (
	_ "embed"

	"github.com/harrier-xdr/harrier/hunt/mapping/strictyaml"
	"github.com/harrier-xdr/harrier/schema/ocsf"
)

//go:embed hunts.yaml
var file []byte

// Hunt is a hunt for events of one class over all times.
type Hunt struct {
	Name  string         `yaml:"name"`
	Root  string         `yaml:"root"`  // GraphQL root field
	Where map[string]any `yaml:"where"` // GraphQL filter
	Order string         `yaml:"order"` // TIME_ASC if it is left out
	Rows  int            `yaml:"rows"`  // events of the default demo that it finds
}

// Class is the class that the hunt asks.
func (h *Hunt) Class() *ocsf.Class { return ocsf.ByRoot(h.Root) }

// All reads the hunts.
func All() ([]Hunt, error) {
	var out struct {
		Hunts []Hunt `yaml:"hunts"`
	}
	err := strictyaml.Decode(file, &out)
	return out.Hunts, err
}
