package connectors

import (
	"context"

	"github.com/harrier-xdr/harrier/connectors/elastic"
	"github.com/harrier-xdr/harrier/connectors/files"
	"github.com/harrier-xdr/harrier/connectors/lake"
	"github.com/harrier-xdr/harrier/hunt"
	"github.com/harrier-xdr/harrier/hunt/mapping"
)

// Setup is what an opener gets.
type Setup struct {
	ID       hunt.Identity
	Decode   func(into any) error             // decodes the connection's settings strictly, onto defaults; errors have their position
	Path     func(string) string              // makes a path of the settings relative to the configuration file
	Secret   func(ref string) (string, error) // reads a secret that the settings name as env:NAME or file:PATH; errors never hold it
	Mappings *mapping.Set
	Progress func(done, total int64) // bytes read while opening; may be nil
}

// Opener opens a connection. The error is a *hunt.Error.
type Opener func(ctx context.Context, s Setup) (hunt.Connector, error)

// Table returns the built-in connectors by the name that configurations use.
func Table() map[string]Opener {
	return map[string]Opener{
		"elastic": openElastic,
		"files":   openFiles,
		"lake":    openLake,
	}
}

func openFiles(ctx context.Context, s Setup) (hunt.Connector, error) {
	var cfg files.Config
	if err := s.Decode(&cfg); err != nil {
		return nil, err
	}
	cfg.Path = s.Path(cfg.Path)
	return files.Open(ctx, s.ID, cfg, files.Options{Mappings: s.Mappings, Progress: s.Progress})
}

func openLake(ctx context.Context, s Setup) (hunt.Connector, error) {
	var cfg lake.Config
	if err := s.Decode(&cfg); err != nil {
		return nil, err
	}
	cfg.Path = s.Path(cfg.Path)
	return lake.Open(ctx, s.ID, cfg)
}

func openElastic(ctx context.Context, s Setup) (hunt.Connector, error) {
	var cfg elastic.Config
	if err := s.Decode(&cfg); err != nil {
		return nil, err
	}
	cfg.CA = s.Path(cfg.CA)
	return elastic.Open(ctx, s.ID, cfg, elastic.Options{Mappings: s.Mappings, Secret: s.Secret})
}
