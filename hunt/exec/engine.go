package exec

import (
	"context"
	"errors"
	"slices"
	"sync"
	"time"

	"github.com/harrier-xdr/harrier/hunt"
	"github.com/harrier-xdr/harrier/hunt/plan"
	"github.com/harrier-xdr/harrier/hunt/wrap"
)

// Connection is a connection that hunts may ask, with what the host keeps around it. One that cannot be opened is a connection too: it
// is a line of every coverage.
type Connection struct {
	Ref       hunt.ConnectionRef
	Kind      string // "files", "lake", ...
	Connector *wrap.Connection
}

// Connect makes a connection of o.Ref. It is opened at its first use.
func Connect(kind string, open wrap.Opener, o wrap.Options) Connection {
	return Connection{Ref: o.Ref, Kind: kind, Connector: wrap.New(open, o)}
}

// Engine plans and runs hunts over a fixed list of connections.
type Engine struct{ Connections []Connection }

// Has says whether there is a connection of that name in one of the tenants.
func (e *Engine) Has(tenants []string, connection string) bool {
	return slices.ContainsFunc(e.Connections, func(c Connection) bool {
		return c.Ref.Connection == connection && slices.Contains(tenants, c.Ref.Tenant)
	})
}

// Described is a connection with what it says of itself now.
type Described struct {
	Connection
	Description *hunt.Description // nil if Err is set
	Err         *hunt.Error       // why it cannot be asked now
	Health      wrap.Health
}

// Describe asks the connections of the tenants what they hold, all at once, in the order of Connections.
func (e *Engine) Describe(ctx context.Context, tenants []string) []Described {
	var out []Described
	for _, c := range e.Connections {
		if slices.Contains(tenants, c.Ref.Tenant) {
			out = append(out, Described{Connection: c})
		}
	}
	var wg sync.WaitGroup
	for i := range out {
		wg.Go(func() {
			d := &out[i]
			desc, err := d.Connector.Describe(ctx)
			if err != nil {
				d.Err = hunt.AsError(err, hunt.SourceUnavailable)
			}
			d.Description, d.Health = desc, d.Connector.Health()
		})
	}
	wg.Wait()
	return out
}

// Plan plans a query over the connections as they are now.
func (e *Engine) Plan(ctx context.Context, q *hunt.Query) *plan.Plan {
	if q.Now == 0 {
		q.Now = time.Now().UnixMicro()
	}
	var sources []plan.Source
	for _, d := range e.Describe(ctx, q.Tenants) {
		sources = append(sources, plan.Source{Ref: d.Ref, Description: d.Description, Err: d.Err, Translate: d.Connector.Translate})
	}
	return plan.New(q, sources)
}

// Page plans a query and returns the first rows of its answer.
func (e *Engine) Page(ctx context.Context, q *hunt.Query, first int) *Page {
	q.Limit = first + 1
	return ReadPage(ctx, e.Plan(ctx, q), first, e.options())
}

// Start plans a query and runs it; see Execution.
func (e *Engine) Start(ctx context.Context, q *hunt.Query, notify func(*plan.Step, hunt.Frame)) *Execution {
	o := e.options()
	o.Notify = notify
	return Start(ctx, e.Plan(ctx, q), o)
}

func (e *Engine) options() Options { return Options{Find: e.find} }

func (e *Engine) find(ref hunt.ConnectionRef) hunt.Connector {
	i := slices.IndexFunc(e.Connections, func(c Connection) bool { return c.Ref == ref })
	return e.Connections[i].Connector
}

// Close closes every connection and waits for it.
func (e *Engine) Close() error {
	failed := make([]error, len(e.Connections))
	var wg sync.WaitGroup
	for i, c := range e.Connections {
		wg.Go(func() { failed[i] = c.Connector.Close() })
	}
	wg.Wait()
	return errors.Join(failed...)
}
