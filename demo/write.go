package demo

import (
	"context"
	"errors"
	"fmt"
	"time"
)

// Options say what to generate. The same Options give byte-identical files.
type Options struct {
	// Seed chooses the company, the attacker and the noise. Zero means 1.
	Seed uint64
	// Days is the length of the window in days of 24 hours, 1 to 366. Zero means 3.
	Days int
	// Events is the number of records to write over all four domains, at least
	// 2000; what is written differs from it by less than 2 percent. Zero means 20000.
	Events int
	// End is the end of the window: every time in a record lies before it. The zero time
	// means a fixed instant, not now, so that the default output is reproducible.
	End time.Time
}

// DefaultOptions are what zero fields of Options mean.
func DefaultOptions() Options {
	return Options{Seed: 1, Days: 3, Events: 20000, End: time.Date(2026, 1, 16, 0, 0, 0, 0, time.UTC)}
}

const (
	minEvents = 2000
	maxDays   = 366
)

func (o Options) complete() (Options, error) {
	d := DefaultOptions()
	if o.Seed == 0 {
		o.Seed = d.Seed
	}
	if o.Days == 0 {
		o.Days = d.Days
	}
	if o.Events == 0 {
		o.Events = d.Events
	}
	if o.End.IsZero() {
		o.End = d.End
	}
	if o.Days < 1 || o.Days > maxDays {
		return o, fmt.Errorf("demo: days is %d: give 1 to %d", o.Days, maxDays)
	}
	if o.Events < minEvents {
		return o, fmt.Errorf("demo: events is %d: give at least %d, the story alone needs some hundred", o.Events, minEvents)
	}
	return o, nil
}

// Write generates telemetry below dir, which is created if it does not exist,
// and returns the key facts of the intrusion that is in it:
//
//	endpoint/sysmon-HOST.jsonl, security-HOST.jsonl, powershell-HOST.jsonl
//	network/conn.log, dns.log, http.log, ssl.log
//	cloud/123456789012_CloudTrail_us-east-1_DAY.json.gz
//	identity/signins.json
//
// Each file is in time order. Memory does not grow with Events or Days beyond
// a few minutes' worth of records. progress, unless nil, is called about once
// per hour of the window with the records written so far and the number
// expected, and last with both equal.
//
// It fails if Options are out of range, if one of the four folders holds
// anything already (files of two runs must not mix), on the first error of the
// file system, or with the context's error; files written so far then remain.
func Write(ctx context.Context, dir string, o Options, progress func(done, total int)) (*Story, error) {
	o, err := o.complete()
	if err != nil {
		return nil, err
	}
	end := instantOf(o.End)
	start := end.plus(-time.Duration(o.Days) * 24 * time.Hour)
	w := newWorld(o.Seed, start)
	out, err := openOutputs(dir, w, start, end)
	if err != nil {
		return nil, err
	}
	g := &generator{options: o, world: w, queue: &queue{end: end.plus(-writeLag)}, out: out, start: start, progress: progress}
	story, err := g.run(ctx)
	if err = errors.Join(err, out.close()); err != nil {
		return nil, err
	}
	return story, nil
}

// generator runs one Write: the story first, then the noise around it.
type generator struct {
	options  Options
	world    *world
	queue    *queue
	out      *outputs
	start    instant
	progress func(done, total int)
}

func (g *generator) run(ctx context.Context) (*Story, error) {
	story := tell(&recorder{world: g.world, queue: g.queue, out: g.out,
		rand: newRand(g.options.Seed, streamStory), ports: storyPort})
	r := newRand(g.options.Seed, streamNoise)
	noise := newNoise(&recorder{world: g.world, queue: g.queue, out: g.out, rand: r, ports: firstPort})
	shares := schedule(r, g.start, g.queue.end)
	for i, share := range shares {
		if err := ctx.Err(); err != nil {
			return nil, fmt.Errorf("demo: stopped after %d records: %w", g.queue.written, err)
		}
		from := g.start.plus(time.Duration(i) * slot)
		noise.fill(from, g.targets(story, share))
		if err := g.queue.drain(from.plus(slot)); err != nil {
			return nil, err
		}
		if i%60 == 59 {
			g.report(min(g.queue.written, g.options.Events))
		}
	}
	if err := g.queue.drain(g.queue.end); err != nil {
		return nil, err
	}
	g.report(g.options.Events)
	return story, nil
}

func (g *generator) report(done int) {
	if g.progress != nil {
		g.progress(done, g.options.Events)
	}
}

// targets are the records that each domain shall have, the story's included,
// when a share of the window's activity has passed.
func (g *generator) targets(s *Story, share float64) [domains]int {
	var t [domains]int
	percent := [domains]int{endpoint: 66, network: 24, cloud: 6, identity: 4}
	told := [domains]int{endpoint: s.Records.Endpoint, network: s.Records.Network, cloud: s.Records.Cloud, identity: s.Records.Identity}
	for d := range t {
		noise := g.options.Events*percent[d]/100 - told[d]
		t[d] = told[d] + int(share*float64(noise))
	}
	return t
}
