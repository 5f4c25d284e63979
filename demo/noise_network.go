package demo

import (
	"fmt"
	"strings"
)

func (n *noise) networkEpisodes() []episode {
	return []episode{
		{34, n.webPage}, {6, n.plainDownload}, {14, n.fileShare}, {12, n.directory},
		{8, n.database}, {10, n.device}, {8, n.outsideScan}, {3, n.mistypedName}, {4, n.sixth},
	}
}

func (n *noise) webPage(at instant) {
	h := n.station()
	p, s := h.standing[pick(n.rand, []string{"edge", "edge", "edge", "outlook"})], pick(n.rand, n.world.sites)
	at = n.resolve(at, p, s)
	for range n.between(1, 3) {
		f := n.dial(at, h, s.ip, 443)
		f.service = "ssl"
		n.conn(f)
		n.ssl(f, s.name, "")
		n.networkConnect(p, f)
		at = at.plus(n.millis(10, 900))
	}
}

func (n *noise) plainDownload(at instant) {
	h := pick(n.rand, n.world.hosts)
	p, s := h.standing["svchost"], pick(n.rand, n.world.plain)
	at = n.resolve(at, p, s)
	f := n.dial(at, h, s.ip, 80)
	f.service, f.received = "http", n.between(900, 900000)
	q := request{"GET", s.name, "/d/update/" + hexText(n.rand, 8) + ".cab", "Microsoft-Delivery-Optimization/10.0", "application/vnd.ms-cab-compressed"}
	switch {
	case strings.HasSuffix(s.name, "trustroot.example"):
		q.uri, q.agent, q.mime = "/ca/"+hexText(n.rand, 4), "Microsoft-CryptoAPI/10.0", "application/ocsp-response"
		f.received = n.between(400, 2300)
	case strings.HasPrefix(s.name, "update."):
		q.uri, q.agent, q.mime = "/release/manifest.json", "Microsoft Edge Update/1.3.195", "text/json"
		f.received = n.between(900, 6000)
	}
	n.conn(f)
	n.networkConnect(p, f)
	n.http(f, q)
}

// fileShare: a mapped drive; the server logs the logon from the same port.
func (n *noise) fileShare(at instant) {
	h := n.station()
	to := pick(n.rand, []*host{n.world.servers["FS01"], n.world.servers["FS01"], n.world.servers["PRINT01"], n.world.servers["FIN-APP01"]})
	f := n.dial(at, h, to.ip, 445)
	f.service, f.duration = "gssapi,smb,krb", n.millis(2000, 900000)
	n.conn(f)
	n.networkConnect(h.standing["system"], f)
	l := &logon{host: to, account: h.owner.account, kind: "3", fromIP: f.origIP, fromPort: f.origPort, from: "-"}
	at = f.at.plus(n.millis(5, 120))
	if n.chance(3) {
		n.logonFailed(at, l)
		return
	}
	n.loggedOn(at, l)
}

// directory: Kerberos tickets and LDAP searches at a domain controller.
func (n *noise) directory(at instant) {
	h := pick(n.rand, n.world.hosts)
	dc := n.world.servers[pick(n.rand, []string{"DC01", "DC02"})]
	if h == dc {
		h = n.station()
	}
	port, service := 88, "krb_tcp"
	if n.chance(40) {
		port, service = 389, "ldap"
	}
	f := n.dial(at, h, dc.ip, port)
	f.service, f.sent, f.received, f.duration = service, n.between(200, 2400), n.between(300, 3000), n.millis(2, 80)
	n.conn(f)
	n.networkConnect(h.standing["lsass"], f)
}

// database: the finance application asks its database.
func (n *noise) database(at instant) {
	h := n.world.servers["FIN-APP01"]
	f := n.dial(at, h, n.world.servers["SQL01"].ip, 1433)
	n.conn(f)
	n.networkConnect(h.standing["finledger"], f)
}

// device: printers and phones, which no endpoint sensor covers.
func (n *noise) device(at instant) {
	ip := pick(n.rand, n.world.devices)
	if n.chance(50) {
		n.lookup(at, ip, n.between(firstPort, 65000), pick(n.rand, n.world.sites))
		return
	}
	f := n.flowFrom(at, ip, 123, &flow{respIP: n.world.sites[28].ip, respPort: 123})
	f.proto, f.service, f.history, f.sent, f.received, f.duration = "udp", "ntp", "Dd", 48, 48, n.millis(5, 40)
	n.conn(f)
}

// outsideScan: strangers try the company's public address.
func (n *noise) outsideScan(at instant) {
	f := n.flowFrom(at, fmt.Sprintf("198.51.100.%d", n.between(150, 250)), n.between(1024, 65000),
		&flow{respIP: companyEgress, respPort: pick(n.rand, []int{22, 23, 80, 443, 3389, 8080})})
	f.duration = 0
	f.state, f.history = "S0", "S"
	if n.chance(30) {
		f.state, f.history, f.duration, f.sent, f.received = "REJ", "Sr", n.millis(1, 30), 0, 0
	}
	n.conn(f)
}

func (n *noise) mistypedName(at instant) {
	name := pick(n.rand, []string{"wpad." + companyDomain, "www.dailyharbuor.example", "fs1." + companyDomain, "portfrieght.example"})
	n.resolve(at, n.station().standing["edge"], site{name: name})
}

// sixth: the same sites over IPv6, where the workstation has an address. Sysmon
// is configured to leave these flows out, so that only the network shows them.
func (n *noise) sixth(at instant) {
	k := n.rand.IntN(len(n.world.sites))
	f := n.flowFrom(at, fmt.Sprintf("2001:db8:10::%x", 0x21+n.rand.IntN(workstationCount)), n.between(firstPort, 62000),
		&flow{respIP: fmt.Sprintf("2001:db8:ff::%x", 0x10+k), respPort: 443})
	f.service = "ssl"
	n.conn(f)
	n.ssl(f, n.world.sites[k].name, "")
}
