package main

import (
	"context"
	"errors"
	"net"
	"net/http"
	"sync/atomic"
	"time"

	"github.com/klauspost/compress/gzhttp"
	"github.com/rs/zerolog"

	"github.com/harrier-xdr/harrier/graph"
)

// shutdownGrace is how long open requests may go on after the service was asked to stop.
const shutdownGrace = 5 * time.Second

// server serves a gateway over HTTP.
type server struct {
	http  *http.Server
	ready atomic.Bool
	log   zerolog.Logger
	url   string
}

// newServer mounts GraphQL, health and readiness. Health says that the process lives; readiness that it takes requests.
func newServer(g *gateway, log zerolog.Logger) (*server, error) {
	s := &server{log: log}
	mux := http.NewServeMux()
	compress, err := gzhttp.NewWrapper(gzhttp.ContentTypes([]string{"application/json", "application/graphql-response+json"}))
	if err != nil {
		return nil, err
	}
	mux.Handle("/graphql", compress(graph.Handler(graph.NewExecutor(g.resolver), g.tokens, logFault)))
	mux.HandleFunc("GET /healthz", func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write([]byte("ok\n")) })
	mux.HandleFunc("GET /readyz", s.readiness)
	s.http = &http.Server{Handler: http.NewCrossOriginProtection().Handler(mux), ReadHeaderTimeout: 10 * time.Second, ReadTimeout: time.Minute, IdleTimeout: 2 * time.Minute}
	return s, nil
}

func (s *server) readiness(w http.ResponseWriter, _ *http.Request) {
	if !s.ready.Load() {
		http.Error(w, "stopping", http.StatusServiceUnavailable)
		return
	}
	_, _ = w.Write([]byte("ready\n"))
}

// listen opens the port. After it url is set.
func (s *server) listen(ctx context.Context, address string) (net.Listener, error) {
	l, err := (&net.ListenConfig{}).Listen(ctx, "tcp", address)
	if err != nil {
		return nil, configError("listen", "%s cannot be opened: %v", address, err)
	}
	s.url = "http://" + l.Addr().String() + "/graphql"
	return l, nil
}

// serve answers until ctx ends, then lets open requests finish for a moment.
func (s *server) serve(ctx context.Context, l net.Listener) error {
	s.http.BaseContext = func(net.Listener) context.Context { return s.log.WithContext(context.WithoutCancel(ctx)) }
	failed := make(chan error, 1)
	go func() { failed <- s.http.Serve(l) }()
	s.ready.Store(true)
	s.log.Info().Str("url", s.url).Msg("serving")
	select {
	case err := <-failed:
		return err
	case <-ctx.Done():
	}
	s.ready.Store(false)
	s.log.Info().Msg("stopping")
	grace, cancel := context.WithTimeout(context.WithoutCancel(ctx), shutdownGrace)
	defer cancel()
	if err := s.http.Shutdown(grace); err != nil {
		return s.http.Close() // streams that go on are cut; they have no end record, so no client takes them for complete
	}
	if err := <-failed; !errors.Is(err, http.ErrServerClosed) {
		return err
	}
	return nil
}
