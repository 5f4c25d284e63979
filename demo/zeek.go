package demo

import (
	"strconv"
	"strings"
	"time"
)

// zeekLog is the header of one Zeek log.
type zeekLog struct {
	path          string
	fields, types []string
}

func zeekLogOf(path, fields, types string) zeekLog {
	const idFields = "ts uid id.orig_h id.orig_p id.resp_h id.resp_p "
	const idTypes = "time string addr port addr port "
	return zeekLog{path, strings.Fields(idFields + fields), strings.Fields(idTypes + types)}
}

func connLog() zeekLog {
	return zeekLogOf("conn",
		"proto service duration orig_bytes resp_bytes conn_state local_orig local_resp missed_bytes history orig_pkts orig_ip_bytes resp_pkts resp_ip_bytes tunnel_parents",
		"enum string interval count count string bool bool count string count count count count set[string]")
}

func dnsLog() zeekLog {
	return zeekLogOf("dns",
		"proto trans_id rtt query qclass qclass_name qtype qtype_name rcode rcode_name AA TC RD RA Z answers TTLs rejected",
		"enum count interval string count string count string count string bool bool bool bool count vector[string] vector[interval] bool")
}

func httpLog() zeekLog {
	return zeekLogOf("http",
		"trans_depth method host uri referrer version user_agent origin request_body_len response_body_len status_code status_msg info_code info_msg tags username password proxied orig_fuids orig_filenames orig_mime_types resp_fuids resp_filenames resp_mime_types",
		"count string string string string string string string count count count string count string set[enum] string string set[string] vector[string] vector[string] vector[string] vector[string] vector[string] vector[string]")
}

func sslLog() zeekLog {
	return zeekLogOf("ssl",
		"version cipher curve server_name resumed last_alert next_protocol established ssl_history cert_chain_fps client_cert_chain_fps sni_matches_cert",
		"string string string string bool string string bool string vector[string] vector[string] bool")
}

func (l zeekLog) header(open instant) string {
	return "#separator \\x09\n#set_separator\t,\n#empty_field\t(empty)\n#unset_field\t-\n#path\t" + l.path +
		"\n#open\t" + open.format(layoutZeek) +
		"\n#fields\t" + strings.Join(l.fields, "\t") +
		"\n#types\t" + strings.Join(l.types, "\t") + "\n"
}

// row is one line under construction; cells are joined by tabs.
type row []byte

func (w row) cell(s string) row { return append(append(w, '\t'), s...) }

func (w row) count(n int) row { return strconv.AppendInt(append(w, '\t'), int64(n), 10) }

func (w row) interval(d time.Duration) row {
	return appendSeconds(append(w, '\t'), d.Microseconds())
}

// flow is one connection as the network sensor sees it. duration zero means
// that no answer came: Zeek then leaves duration and sizes unset.
type flow struct {
	at       instant
	uid      string
	origIP   string
	respIP   string
	proto    string
	service  string
	state    string
	history  string
	origPort int
	respPort int
	sent     int // payload bytes of the originator
	received int
	duration time.Duration
}

// dial is a TCP flow from a host, closed in order; the caller sets what differs.
func (r *recorder) dial(at instant, h *host, ip string, port int) *flow {
	return r.flowFrom(at, h.ip, r.sourcePort(h), &flow{respIP: ip, respPort: port})
}

func (r *recorder) flowFrom(at instant, ip string, port int, to *flow) *flow {
	to.at, to.origIP, to.origPort, to.uid = at, ip, port, r.zeekID("C")
	to.proto, to.service, to.state, to.history = "tcp", "-", "SF", "ShADadFf"
	to.sent, to.received = r.between(300, 4000), r.between(1000, 60000)
	to.duration = r.millis(40, 20000)
	return to
}

// zeekID is an id of a connection (C) or a file (F).
func (r *recorder) zeekID(prefix string) string {
	return prefix + textOf(r.rand, "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz", 17)
}

func (r *recorder) zeekRow(at instant, f *flow) row {
	w := row(at.appendEpoch(r.queue.buffer()))
	return w.cell(f.uid).cell(f.origIP).count(f.origPort).cell(f.respIP).count(f.respPort)
}

func local(ip string) string {
	if strings.HasPrefix(ip, "10.") || ip == companyEgress {
		return "T"
	}
	return "F"
}

// conn writes the flow's line of conn.log.
func (r *recorder) conn(f *flow) {
	w := r.zeekRow(f.at, f).cell(f.proto).cell(f.service)
	overhead, out, in := 40, 2+f.sent/1300, 2+f.received/1300
	if f.proto == "udp" {
		overhead, out, in = 28, 1, 1
	}
	if f.duration == 0 {
		w, out, in = w.cell("-").cell("-").cell("-"), 1, 0
		f.sent, f.received = 0, 0
	} else {
		w = w.interval(f.duration).count(f.sent).count(f.received)
	}
	w = w.cell(f.state).cell(local(f.origIP)).cell(local(f.respIP)).count(0).cell(f.history)
	w = w.count(out).count(f.sent + out*overhead).count(in).count(f.received + in*overhead).cell("-")
	r.queue.add(f.at, r.out.conn, append(w, '\n'))
}

// lookup is a name resolution over the network, asked of the first domain
// controller: dns.log and the conn.log line of the same flow. It returns when
// the answer came.
func (r *recorder) lookup(at instant, ip string, port int, s site) instant {
	f := r.flowFrom(at, ip, port, &flow{respIP: r.world.servers["DC01"].ip, respPort: 53})
	f.proto, f.service, f.state, f.history = "udp", "dns", "SF", "Dd"
	f.sent, f.received, f.duration = 20+len(s.name), 36+2*len(s.name), r.millis(1, 60)
	r.conn(f)
	w := r.zeekRow(at, f).cell("udp").count(r.rand.IntN(65536)).interval(f.duration).
		cell(s.name).cell("1").cell("C_INTERNET").cell("1").cell("A")
	if s.ip == "" {
		w = w.cell("3").cell("NXDOMAIN").cell("F").cell("F").cell("T").cell("T").cell("0").cell("-").cell("-").cell("F")
	} else {
		w = w.cell("0").cell("NOERROR").cell("F").cell("F").cell("T").cell("T").cell("0").cell(s.ip)
		w = w.interval(time.Duration(60*r.between(1, 10)) * time.Second).cell("F")
	}
	r.queue.add(at, r.out.dns, append(w, '\n'))
	return at.plus(f.duration)
}

// resolve is a lookup by a process: Sysmon sees it too, when the answer came.
func (r *recorder) resolve(at instant, p *process, s site) instant {
	done := r.lookup(at, p.host.ip, r.sourcePort(p.host), s).plus(r.millis(1, 20))
	r.dnsQuery(done, p, s)
	return done.plus(r.millis(1, 30))
}

// ssl writes the TLS handshake of a flow. A certificate is visible to the sensor
// only up to TLS 1.2, so a flow without a fingerprint is TLS 1.3.
func (r *recorder) ssl(f *flow, serverName, fingerprint string) {
	at := f.at.plus(min(f.duration/2, r.millis(5, 60)))
	w := r.zeekRow(at, f)
	if fingerprint == "" {
		w = w.cell("TLSv13").cell("TLS_AES_256_GCM_SHA384").cell("x25519").cell(serverName).
			cell("F").cell("-").cell("h2").cell("T").cell("CsiI").cell("-").cell("-").cell("-")
	} else {
		w = w.cell("TLSv12").cell("TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384").cell("x25519").cell(serverName).
			cell("F").cell("-").cell("-").cell("T").cell("CsxknGIi").cell(fingerprint).cell("(empty)").cell("F")
	}
	r.queue.add(at, r.out.ssl, append(w, '\n'))
}

// request is one HTTP exchange in the clear.
type request struct {
	method, host, uri, agent, mime string
}

// http writes the exchange of a flow, whose received bytes are its body.
func (r *recorder) http(f *flow, q request) {
	at := f.at.plus(min(f.duration/2, r.millis(2, 40)))
	w := r.zeekRow(at, f).count(1).cell(q.method).cell(q.host).cell(q.uri).cell("-").cell("1.1").cell(q.agent).cell("-")
	w = w.count(0).count(f.received).cell("200").cell("OK").cell("-").cell("-").cell("(empty)")
	w = w.cell("-").cell("-").cell("-").cell("-").cell("-").cell("-").cell(r.zeekID("F")).cell("-").cell(q.mime)
	r.queue.add(at, r.out.http, append(w, '\n'))
}
