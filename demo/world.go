package demo

import (
	"encoding/hex"
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"strings"
	"time"
)

const (
	workstationCount = 30
	userCount        = 60
)

// upBefore is how long the machines have been up when the window begins.
const upBefore = 9 * 24 * time.Hour

// world is the company: the same seed gives the same people and machines,
// whatever the number of events and days.
type world struct {
	boot      instant // when the standing processes began
	hosts     []*host // workstations first, then servers
	servers   map[string]*host
	users     []*user
	sites     []site
	plain     []site // sites that answer on port 80
	programs  map[string]*program
	libraries []*program
	system    *account
	services  []*account // service accounts of the domain
	roles     []role
	tenantID  string
	devices   []string // addresses of printers and phones, seen on the network only
}

// account is a Windows security principal. logonID names its session.
type account struct {
	domain, name, sid, logonID string
}

func (a *account) full() string { return a.domain + `\` + a.name }

// user is a person with one account in the domain, one in Entra ID and, for
// some, one in AWS.
type user struct {
	account    *account
	display    string
	upn        string
	department string
	objectID   string
	deviceID   string
	homeIP     string
	home       place
	awsID      string // principal id of the IAM user or of the session
	awsKey     string // long-lived access key
	station    *host  // nil for people who work on phones only
}

// host is a machine with Sysmon. Its counters hand out process ids, process
// guids and source ports.
type host struct {
	index    int
	name     string
	fqdn     string
	ip       string
	owner    *user // nil for servers
	machine  string
	pid      int
	guid     int
	port     int
	standing map[string]*process
}

// role is an AWS role that people or services assume.
type role struct {
	name, id string
}

func (r role) arn() string { return "arn:aws:iam::" + accountID + ":role/" + r.name }

func newWorld(seed uint64, start instant) *world {
	r := newRand(seed, streamWorld)
	w := &world{boot: start.plus(-upBefore), servers: map[string]*host{}, programs: map[string]*program{}, tenantID: guidText(r)}
	w.system = &account{"NT AUTHORITY", "SYSTEM", "S-1-5-18", "0x3e7"}
	w.addPrograms(r)
	w.addSites()
	w.addUsers(r)
	w.addHosts(r)
	w.addRoles(r)
	return w
}

// Streams of random numbers. Separate ones keep the story the same when the
// noise grows.
const (
	streamWorld uint64 = iota + 1
	streamStory
	streamNoise
)

func newRand(seed, stream uint64) *rand.Rand { return rand.New(rand.NewPCG(seed, stream)) }

func (w *world) addPrograms(r *rand.Rand) {
	table := programTable()
	for _, name := range slices.Sorted(maps.Keys(table)) {
		p := table[name]
		p.hashes = hashesText(r)
		w.programs[name] = &p
	}
	for _, lib := range libraryTable() {
		lib.hashes = hashesText(r)
		w.libraries = append(w.libraries, &lib)
	}
}

func (w *world) addSites() {
	for i, name := range siteNames() {
		w.sites = append(w.sites, site{name, fmt.Sprintf("203.0.113.%d", 10+i)})
	}
	for i, name := range plainSiteNames() {
		w.plain = append(w.plain, site{name, fmt.Sprintf("203.0.113.%d", 60+i)})
	}
	for i := range 12 {
		w.devices = append(w.devices, fmt.Sprintf("10.20.9.%d", 20+i))
	}
}

func (w *world) addUsers(r *rand.Rand) {
	first, last, base := firstNames(), lastNames(), sidBase(r)
	r.Shuffle(len(last), func(i, j int) { last[i], last[j] = last[j], last[i] })
	for i := range userCount {
		f, l := first[i%len(first)], last[(i+i/len(first)*7)%len(last)]
		name := strings.ToLower(f + "." + l)
		u := &user{display: f + " " + l, upn: name + "@" + companyDomain, department: departments()[i%5],
			objectID: guidText(r), deviceID: guidText(r), homeIP: fmt.Sprintf("198.51.100.%d", 10+i), home: pick(r, homePlaces()),
			awsID: "AIDA" + upperText(r, 17), awsKey: "AKIA" + upperText(r, 16)}
		u.account = &account{companyNetBIOS, name, fmt.Sprintf("%s-%d", base, 1104+i), fmt.Sprintf("0x%x", 0x40000+r.IntN(0x400000))}
		w.users = append(w.users, u)
	}
	for i, name := range []string{"svc-backup", "svc-sql", "svc-finledger", "svc-fleetwise"} {
		w.services = append(w.services, &account{companyNetBIOS, name, fmt.Sprintf("%s-%d", base, 1300+i), fmt.Sprintf("0x%x", 0x20000+i*0x1111)})
	}
}

func sidBase(r *rand.Rand) string {
	return fmt.Sprintf("S-1-5-21-%d-%d-%d", 1e9+r.IntN(1e9), 1e9+r.IntN(1e9), 1e9+r.IntN(1e9))
}

func (w *world) addHosts(r *rand.Rand) {
	for i := range workstationCount {
		name := fmt.Sprintf("WS-%s-%02d", departmentCodes()[i%5], 1+i/5)
		h := w.addHost(r, name, fmt.Sprintf("10.20.%d.%d", 1+i%5, 21+i))
		h.owner, w.users[i].station = w.users[i], h
		w.stand(h)
	}
	for i, name := range serverNames() {
		h := w.addHost(r, name, fmt.Sprintf("10.10.0.%d", 11+i))
		w.servers[name] = h
		w.stand(h)
	}
}

func (w *world) addHost(r *rand.Rand, name, ip string) *host {
	h := &host{index: len(w.hosts), name: name, fqdn: name + "." + companyDomain, ip: ip,
		machine: fmt.Sprintf("%08x", r.Uint32()), pid: 2400, port: firstPort + r.IntN(8000), standing: map[string]*process{}}
	w.hosts = append(w.hosts, h)
	return h
}

// stand gives a host the processes that ran before the window began.
func (w *world) stand(h *host) {
	names := []string{"system", "services", "lsass", "svchost", "defender", "agent", "spooler", "wmiprvse"}
	if h.owner != nil {
		names = append(names, "explorer", "outlook", "edge")
	}
	if h.name == "FIN-APP01" {
		names = append(names, "finledger")
	}
	for i, name := range names {
		p := h.newProcess(w.boot, w.programs[name])
		p.account, p.command, p.pid = w.system, p.program.image, 4+i*148
		p.parent = h.standing["services"]
		h.standing[name] = p
	}
	w.standUser(h)
}

func (w *world) standUser(h *host) {
	for _, name := range []string{"explorer", "outlook", "edge"} {
		if p := h.standing[name]; p != nil {
			p.account, p.parent, p.command = h.owner.account, h.standing["explorer"], `"`+p.program.image+`"`
		}
	}
	if p := h.standing["finledger"]; p != nil {
		p.account = w.services[2]
	}
}

func (w *world) addRoles(r *rand.Rand) {
	for _, name := range []string{"AWSReservedSSO_Developer_5d1c0e7a92b34f68", "AWSReservedSSO_Operations_1be0a6c47d2f9385",
		"finance-data-admin", "lambda-order-events", "ec2-web-frontend", "ci-deploy"} {
		w.roles = append(w.roles, role{name, "AROA" + upperText(r, 17)})
	}
}

func (w *world) role(name string) role {
	return w.roles[slices.IndexFunc(w.roles, func(r role) bool { return r.name == name })]
}

// stations are the workstations.
func (w *world) stations() []*host { return w.hosts[:workstationCount] }

func (w *world) serverList() []*host { return w.hosts[workstationCount:] }

// inDepartment lists the people of a department who have a workstation.
func (w *world) inDepartment(name string) []*user {
	var found []*user
	for _, u := range w.users {
		if u.department == name && u.station != nil {
			found = append(found, u)
		}
	}
	return found
}

func pick[T any](r *rand.Rand, from []T) T { return from[r.IntN(len(from))] }

func hexText(r *rand.Rand, bytes int) string {
	b := make([]byte, bytes)
	for i := range b {
		b[i] = byte(r.Uint32())
	}
	return hex.EncodeToString(b)
}

func guidText(r *rand.Rand) string {
	h := hexText(r, 16)
	return h[:8] + "-" + h[8:12] + "-4" + h[13:16] + "-a" + h[17:20] + "-" + h[20:]
}

func textOf(r *rand.Rand, alphabet string, n int) string {
	b := make([]byte, n)
	for i := range b {
		b[i] = alphabet[r.IntN(len(alphabet))]
	}
	return string(b)
}

func upperText(r *rand.Rand, n int) string {
	return textOf(r, "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567", n)
}

// hashesText is Sysmon's Hashes field for an invented file.
func hashesText(r *rand.Rand) string {
	return strings.ToUpper(fmt.Sprintf("SHA1=%s,MD5=%s,SHA256=%s,IMPHASH=%s", hexText(r, 20), hexText(r, 16), hexText(r, 32), hexText(r, 16)))
}

func sha256Of(hashes string) string {
	_, rest, _ := strings.Cut(hashes, "SHA256=")
	sum, _, _ := strings.Cut(rest, ",")
	return sum
}
