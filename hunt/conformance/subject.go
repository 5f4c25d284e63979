package conformance

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"runtime/debug"
	"runtime/pprof"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/harrier-xdr/harrier/hunt"
)

// subject is a connector while one behaviour is checked.
type subject struct {
	ctx   context.Context
	suite Suite
	b     *behaviour
	id    hunt.Identity
	rng   *rand.Rand
	src   *source
	tag   string // value of label for the goroutines of the check

	mu      sync.Mutex
	errs    []error
	notes   []string
	skipped string
	cases   int
	over    bool // the result was taken
}

func (s Suite) subject(ctx context.Context, b *behaviour, shared *source) *subject {
	return &subject{ctx: ctx, suite: s, b: b, id: s.identity(), rng: seed(b.Name), src: shared}
}

// run checks the behaviour, over the shared source or one of its own.
func (s *subject) run() {
	defer s.rescue()
	defer s.suite.beside(s.b)()
	if why := s.b.missing(s.suite); why != "" {
		s.skip(why)
		return
	}
	if s.b.ground != shared {
		if err := s.open(); err != nil {
			s.errorf("the source could not be opened: %v", err)
			return
		}
		defer s.close()
	}
	s.tag = fmt.Sprintf("%p", s)
	pprof.Do(s.ctx, pprof.Labels(label, s.tag), func(context.Context) {
		s.b.check(s)
		if s.problems() == 0 {
			s.leaks("at the end")
		}
	})
}

// label is on the goroutines of a check: one that starts has the labels of the one that starts it. So suites can run at the same time.
const label = "harrier-conformance"

// rescue notes a panic; searches run in goroutines of the check too, and must not end the program.
func (s *subject) rescue() {
	if p := recover(); p != nil {
		s.errorf("the connector panicked: %v\n%s", p, debug.Stack())
	}
}

// open makes a source of the behaviour's own.
func (s *subject) open() error {
	l := small
	if s.b.ground == ownLarge {
		l = large
	}
	src, err := s.suite.open(s.ctx, l)
	s.src = src
	return err
}

func (s *subject) close() {
	if err := s.src.conn.Close(); err != nil {
		s.errorf("Close: %v", err)
	}
}

// wait gives a check whose time is over a moment to notice.
func (s *subject) wait(over <-chan struct{}) {
	t := time.NewTimer(10 * time.Second)
	defer t.Stop()
	select {
	case <-over:
		s.errorf("the check did not end in its time: %v", s.ctx.Err())
	case <-t.C:
		s.errorf("the connector hangs: it does not heed the end of its context")
	}
}

// mostProblems is how many problems are noted: enough to see what is wrong.
const mostProblems = 10

// errorf notes a defect.
func (s *subject) errorf(format string, args ...any) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(s.errs) < mostProblems && !s.over {
		s.errs = append(s.errs, fmt.Errorf(format, args...))
	}
}

// notef notes what is left out.
func (s *subject) notef(format string, args ...any) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if note := fmt.Sprintf(format, args...); !slices.Contains(s.notes, note) && !s.over {
		s.notes = append(s.notes, note)
	}
}

// skip says why the behaviour is not checked.
func (s *subject) skip(why string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.skipped = why
}

func (s *subject) count() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.cases++
}

func (s *subject) problems() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return len(s.errs)
}

func (s *subject) result() Result {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.over = true
	return Result{Behaviour: s.b.Behaviour, Problems: s.errs, Skipped: s.skipped, Notes: s.notes, Cases: s.cases}
}

// fewer is all in a thorough suite, else few.
func (s *subject) fewer(few, all int) int {
	if s.suite.Thorough {
		return all
	}
	return few
}

// describe returns the description, nil after noting an error.
func (s *subject) describe() *hunt.Description {
	defer s.rescue()
	s.count()
	d, err := s.src.conn.Describe(s.ctx)
	if err != nil || d == nil {
		s.failure("Describe", err)
		return nil
	}
	s.src.said.Store(d)
	s.secretless("Describe", fmt.Sprintf("%+v", *d))
	return d
}

// translate returns the translation, nil after noting an error, and when so much is wrong that no more is noted.
func (s *subject) translate(r hunt.Request) *hunt.Translation {
	if s.problems() >= mostProblems {
		return nil
	}
	defer s.rescue()
	s.count()
	t, err := s.src.conn.Translate(r)
	if err != nil || t == nil {
		s.failure("Translate "+brief(r), err)
		return nil
	}
	if len(s.suite.Secrets) > 0 {
		s.secretless("Translate "+brief(r), t.Native)
	}
	return t
}

// failure notes an error that should not have been.
func (s *subject) failure(doing string, err error) {
	s.errorf("%s: failed with %v", doing, err)
	s.checkError(doing, err)
}

// checkError notes an error that is not as errors must be.
func (s *subject) checkError(doing string, err error) {
	var e *hunt.Error
	switch {
	case err == nil:
		s.errorf("%s: neither an answer nor an error", doing)
		return
	case !errors.As(err, &e):
		s.errorf("%s: the error is a %T, not a *hunt.Error: %v", doing, err, err)
	case e.Code == "":
		s.errorf("%s: the error has no code: %v", doing, err)
	case e.Message == "" && e.Cause == nil:
		s.errorf("%s: the error %s does not say what happened", doing, e.Code)
	}
	s.secretless(doing, err.Error())
}

// secretless notes a secret in a text that people see.
func (s *subject) secretless(doing, text string) {
	for _, secret := range s.suite.Secrets {
		if secret != "" && strings.Contains(text, secret) {
			s.errorf("%.200s: it shows a secret of the connection", strings.ReplaceAll(doing, secret, "[secret]"))
		}
	}
}

// patience is how long goroutines may take to end: some sources notice an end late.
const patience = 3 * time.Second

// leaks notes goroutines that the check started and that are left, but for those of connections that HTTP keeps open.
func (s *subject) leaks(when string) {
	kept := append([]string{"net/http.(*persistConn).readLoop", "net/http.(*persistConn).writeLoop", "net/http.(*conn).serve",
		"net/http.(*connReader).backgroundRead", "net/http.(*http2ClientConn).readLoop", "golang.org/x/net/http2.(*ClientConn).readLoop"}, s.suite.Background...)
	began, again := time.Now(), time.NewTicker(5*time.Millisecond)
	defer again.Stop()
	for left := s.left(kept); left != ""; left = s.left(kept) {
		if time.Since(began) > patience {
			s.errorf("%s: goroutines are left after %s:\n%s", when, patience, left)
			return
		}
		<-again.C
	}
}

// left is the stacks of the goroutines that the check started, without itself and those that run functions which are kept; "" if there are
// none.
func (s *subject) left(kept []string) string {
	var b bytes.Buffer
	if err := pprof.Lookup("goroutine").WriteTo(&b, 1); err != nil { // a buffer takes everything
		return err.Error()
	}
	var out []string
	for stack := range strings.SplitSeq(b.String(), "\n\n") { // goroutines with the same stack and labels are one
		runs := func(f string) bool { return strings.Contains(stack, "\t"+f+"+0x") }
		if strings.Contains(stack, fmt.Sprintf("%q:%q", label, s.tag)) && !strings.Contains(stack, ".(*subject).left+0x") && !slices.ContainsFunc(kept, runs) {
			out = append(out, stack)
		}
	}
	return strings.Join(out, "\n\n")
}
