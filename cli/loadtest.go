package cli

import (
	"context"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"

	"stackforge/loadtest"
)

type loadtestCmd struct {
	Key         string   `required:"" env:"LOADTEST_KEY" help:"API key of the tenant to use. It gets many documents and jobs: use one made for this."`
	URL         string   `default:"http://localhost:3000" help:"The server."`
	Duration    string   `default:"10" help:"Of each scenario, in seconds, or as 1m30s."`
	Connections int      `default:"20" help:"Requests at a time, of each scenario."`
	Rate        int      `help:"Iterations a second of each scenario, whether the server keeps up or not (open loop). Without it each connection asks again as soon as it has an answer."`
	Scenario    []string `default:"all" help:"Names, separated by commas: crud-flood, search-mix, job-storm, geo-proximity, auth-burst, dashboard-analytics, message-queue, encryption-cycle, websocket-flood, mixed-workload, or all."`
	Parallel    string   `default:"true" enum:"true,false" help:"All scenarios at once (true), or one after the other."`
	Seed        int      `default:"200" help:"Documents to make before the first scenario, and half as many jobs."`
	Door        string   `default:"rest" enum:"rest,graphql,both" help:"Use the REST endpoints, GraphQL, or first one and then the other."`
	Threshold   []string `help:"Bounds in ms, a second or counts, such as p99<100, mixed-workload:rate>200, unexpected<1. A missed one is exit code 1."`
	JSON        string   `name:"json" help:"File for the report as JSON; - for stdout."`
	HTML        string   `name:"html" help:"File for the report as a page with charts."`
}

// Run runs the load test; the exit code is 0 only when every answer was right and every threshold was kept.
func (c loadtestCmd) Run(ctx context.Context, p *program) error {
	o, bounds, err := c.options()
	if err != nil {
		return err
	}
	o.Progress = p.progress(len(o.Scenarios))
	r, err := loadtest.Run(ctx, o)
	if r == nil {
		return err
	}
	r.Judge(bounds)
	if werr := c.write(p, r); werr != nil {
		return werr
	}
	if err != nil {
		return err
	}
	if !r.OK() {
		return errReported
	}
	return nil
}

func (c loadtestCmd) options() (loadtest.Options, []loadtest.Threshold, error) {
	o := loadtest.Options{
		URL: strings.TrimRight(c.URL, "/"), Key: c.Key, Connections: c.Connections, Rate: c.Rate, Parallel: c.Parallel == "true", Seed: c.Seed,
	}
	seconds, err := strconv.ParseFloat(c.Duration, 64)
	o.Duration = time.Duration(seconds * float64(time.Second))
	if err != nil {
		if o.Duration, err = time.ParseDuration(c.Duration); err != nil {
			return o, nil, fmt.Errorf("--duration: %q is neither a number of seconds nor a duration", c.Duration)
		}
	}
	o.Scenarios = c.Scenario
	if slices.Contains(c.Scenario, "all") {
		o.Scenarios = loadtest.Names()
	}
	o.Doors = []string{c.Door}
	if c.Door == "both" {
		o.Doors = []string{loadtest.REST, loadtest.GraphQL}
	}
	var bounds []loadtest.Threshold
	for _, text := range c.Threshold {
		t, err := loadtest.ParseThreshold(text)
		if err != nil {
			return o, nil, err
		}
		bounds = append(bounds, t)
	}
	return o, bounds, o.Check()
}

// progress tells what happens: at a terminal each second of each scenario, elsewhere every tenth.
func (p *program) progress(scenarios int) func(loadtest.Tick) {
	every := 10
	if p.Terminal && scenarios == 1 {
		every = 1
	}
	return func(t loadtest.Tick) {
		if t.Second%every == 0 {
			p.say("%4d s  %-20s %-8s %6d requests  p50 %s  p99 %s  failed %d", t.Second, t.Scenario, t.Door, t.Requests, t.P50, t.P99, t.Failed)
		}
	}
}

// write writes the report to where it was asked for, and for people.
func (c loadtestCmd) write(p *program, r *loadtest.Report) error {
	if c.JSON == "-" {
		if err := r.WriteJSON(p.Stdout); err != nil {
			return err
		}
		return r.WriteText(p.Stderr)
	}
	for name, write := range map[string]func(io.Writer) error{c.JSON: r.WriteJSON, c.HTML: r.WriteHTML} {
		if name == "" {
			continue
		}
		f, err := os.Create(filepath.Clean(name))
		if err != nil {
			return err
		}
		if err := write(f); err != nil {
			_ = f.Close()
			return err
		}
		if err := f.Close(); err != nil {
			return err
		}
	}
	return r.WriteText(p.Stdout)
}
