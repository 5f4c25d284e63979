package main

import (
	"fmt"
	"path/filepath"

	"github.com/99designs/gqlgen/graphql/executor"

	"github.com/harrier-xdr/harrier/connectors/elastic/node"
	"github.com/harrier-xdr/harrier/demo"
	"github.com/harrier-xdr/harrier/hunt"
	"github.com/harrier-xdr/harrier/hunt/exec"
)

// graphExecutor is what runs GraphQL documents in process.
type graphExecutor = *executor.Executor

// generated writes telemetry with an intrusion in it; endpoint and network go into a lake, cloud and identity are read in place.
func (s *demonstration) generated(d demoCmd) (*exec.Engine, error) {
	data := filepath.Join(s.dir, "data")
	bar := s.p.progress("generating telemetry")
	story, err := demo.Write(s.p.ctx, data, demo.Options{Seed: d.Seed, Days: d.Days, Events: d.Events}, func(done, total int) { bar.set(int64(done), int64(total)) })
	bar.finish()
	if err != nil {
		return nil, err
	}
	engine, inPlace := &exec.Engine{}, []string{"endpoint", "network", "cloud", "identity"}
	if d.Through != "files" {
		sensors, err := s.sensors(d, filepath.Join(data, "endpoint"), filepath.Join(data, "network"))
		if err != nil {
			return nil, err
		}
		engine.Connections, inPlace = []exec.Connection{sensors}, inPlace[2:]
	}
	for _, name := range inPlace {
		conn, err := s.inPlace(name, filepath.Join(data, name))
		if err != nil {
			return nil, err
		}
		engine.Connections = append(engine.Connections, conn)
	}
	s.hunt = storyHunt(story)
	return engine, nil
}

// sensors ingests the folders of endpoint and network logs.
func (s *demonstration) sensors(d demoCmd, folders ...string) (exec.Connection, error) {
	if d.Through == "elastic" {
		return s.throughNode(node.Product(d.Node), "sensors", folders...)
	}
	return s.throughLake("sensors", folders...)
}

// storyHunt follows the intrusion through the four domains, as one document.
func storyHunt(st *demo.Story) demoHunt {
	around := hunt.TimeRange{Start: st.Start.UnixMicro(), End: st.End.UnixMicro() + 1}
	attacker := st.AttackerIP
	from := map[string]any{"srcEndpoint": map[string]any{"ip": map[string]any{"eq": attacker}}}
	return demoHunt{
		story: fmt.Sprintf("A document opened on %s runs an encoded PowerShell that talks to %s. Who else met that address, in the network, in the directory and in the cloud?", st.Host, attacker),
		fields: []demoField{
			{"Endpoint: encoded PowerShell", "processActivities", map[string]any{
				"process":  map[string]any{"name": map[string]any{"in": []any{"powershell.exe", "pwsh.exe"}}, "cmdLine": map[string]any{"contains": "-enc"}},
				"activity": map[string]any{"eq": "LAUNCH"},
			}, []string{"time", "device.hostname", "process.user.name", "process.parentProcess.name", "process.cmdLine"}, around},
			{"Network: connections to the address", "networkActivities", map[string]any{"dstEndpoint": map[string]any{"ip": map[string]any{"eq": attacker}}},
				[]string{"time", "connection", "metadata.logName", "srcEndpoint.ip", "dstEndpoint.port", "actor.process.name"}, around},
			{"Identity: sign-ins from the address", "authentications", from, []string{"time", "connection", "user.name", "status", "riskLevel", "srcEndpoint.location.country"}, around},
			{"Cloud: calls from the address", "apiActivities", from, []string{"time", "connection", "api.operation", "actor.user.uid", "status"}, around},
		},
	}
}
