package main

import (
	"fmt"

	"github.com/harrier-xdr/harrier/access"
)

type serveCmd struct {
	Config string `short:"c" help:"Configuration file." default:"harrier.yaml" placeholder:"FILE"`
	Listen string `help:"Address to listen on, instead of the configuration's." placeholder:"HOST:PORT"`
}

// Help shows examples.
func (serveCmd) Help() string {
	return "Examples:\n  harrier serve -c harrier.yaml\n  harrier serve -c harrier.yaml --listen 127.0.0.1:9090\n"
}

// Run serves until SIGTERM or an interrupt.
func (s serveCmd) Run(p *program) error {
	cfg, err := loadConfig(s.Config)
	if err != nil {
		return err
	}
	log, err := p.logger(cfg.LogLevel)
	if err != nil {
		return err
	}
	g, err := openGateway(p.ctx, cfg, log)
	if err != nil {
		return err
	}
	defer g.close(log)
	if s.Listen != "" {
		cfg.Listen = s.Listen
	}
	srv, err := newServer(g, log)
	if err != nil {
		return err
	}
	l, err := srv.listen(p.ctx, cfg.Listen)
	if err != nil {
		return err
	}
	return srv.serve(p.ctx, l)
}

type tokenCmd struct{}

// Help explains what to do with the output.
func (tokenCmd) Help() string {
	return "The token is shown once and stored nowhere. Put the hash into the configuration and hand the token to its bearer.\n"
}

// Run makes a token.
func (tokenCmd) Run(p *program) error {
	token := access.NewToken()
	_, err := fmt.Fprintf(p.stdout, "token: %s\nhash:  %s\n", token, access.HashToken(token))
	return err
}
