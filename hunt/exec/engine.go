package exec

import (
	"context"
	"fmt"
	"runtime/debug"
	"slices"
	"sync"
	"time"

	"github.com/harrier-xdr/harrier/hunt"
	"github.com/harrier-xdr/harrier/hunt/plan"
)

// Connection is a connection that hunts may ask. One that could not be opened is a connection too: it is a line of every coverage.
type Connection struct {
	Ref       hunt.ConnectionRef
	Kind      string         // "files", "lake", ...
	Connector hunt.Connector // nil if it could not be opened
	Err       *hunt.Error    // why
}

// Engine plans and runs hunts over a fixed list of connections.
type Engine struct {
	Connections []Connection
	Deadline    time.Duration // of each stream of a hunt; 0 for none
}

// Has says whether there is a connection of that name in one of the tenants.
func (e *Engine) Has(tenants []string, connection string) bool {
	return slices.ContainsFunc(e.Connections, func(c Connection) bool {
		return c.Ref.Connection == connection && slices.Contains(tenants, c.Ref.Tenant)
	})
}

// describeTimeout is how long a connection may take to describe itself before it counts as unavailable.
const describeTimeout = 15 * time.Second

// Described is a connection with what it says of itself now.
type Described struct {
	Connection
	Description *hunt.Description // nil if Err is set
}

// Describe asks the connections of the tenants what they hold, all at once, in the order of Connections.
func (e *Engine) Describe(ctx context.Context, tenants []string) []Described {
	var out []Described
	for _, c := range e.Connections {
		if slices.Contains(tenants, c.Ref.Tenant) {
			out = append(out, Described{Connection: c})
		}
	}
	ctx, cancel := context.WithTimeout(ctx, describeTimeout)
	defer cancel()
	var wg sync.WaitGroup
	for i := range out {
		if out[i].Connector != nil {
			wg.Go(func() { out[i].await(ctx) })
		}
	}
	wg.Wait()
	return out
}

// await asks in a goroutine of its own, so that a connector that does not listen to its context keeps nobody waiting.
func (d *Described) await(ctx context.Context) {
	answer, one := make(chan Described, 1), *d
	go func() {
		one.describe(ctx)
		answer <- one
	}()
	select {
	case *d = <-answer:
	case <-ctx.Done():
		d.Err = &hunt.Error{Op: "describe", Source: d.Ref.String(), Code: hunt.SourceTimeout, Message: "the connection did not say in time what it holds", Retryable: true, Cause: context.Cause(ctx)}
	}
}

func (d *Described) describe(ctx context.Context) {
	defer func() {
		if r := recover(); r != nil {
			d.Err = &hunt.Error{Op: "describe", Source: d.Ref.String(), Code: hunt.Internal, Message: "the connector failed with a defect", Cause: fmt.Errorf("panic: %v\n%s", r, debug.Stack())}
		}
	}()
	desc, err := d.Connector.Describe(ctx)
	if err != nil {
		d.Err = hunt.AsError(err, hunt.SourceUnavailable)
		return
	}
	if desc == nil {
		d.Err = &hunt.Error{Op: "describe", Source: d.Ref.String(), Code: hunt.Internal, Message: "the connector gave no description"}
		return
	}
	d.Description = desc
}

// Plan plans a query over the connections as they are now.
func (e *Engine) Plan(ctx context.Context, q *hunt.Query) *plan.Plan {
	if q.Now == 0 {
		q.Now = time.Now().UnixMicro()
	}
	var sources []plan.Source
	for _, d := range e.Describe(ctx, q.Tenants) {
		s := plan.Source{Ref: d.Ref, Description: d.Description, Err: d.Err}
		if d.Connector != nil {
			s.Translate = d.Connector.Translate
		}
		sources = append(sources, s)
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

func (e *Engine) options() Options { return Options{Find: e.find, Deadline: e.Deadline} }

func (e *Engine) find(ref hunt.ConnectionRef) hunt.Connector {
	for _, c := range e.Connections {
		if c.Ref == ref {
			return c.Connector
		}
	}
	return nil
}

// Close closes every connection and waits for it. The first error is returned.
func (e *Engine) Close() error {
	var first error
	for _, c := range e.Connections {
		if c.Connector == nil {
			continue
		}
		if err := c.Connector.Close(); err != nil && first == nil {
			first = err
		}
	}
	return first
}
