package demo

import (
	"strconv"
	"time"
)

// writeLag is how long after an event its log writes it. It is constant, so
// that a file is in order by either clock.
const writeLag = 6 * time.Millisecond

// event begins a record of a Windows event log, in the flat JSON that a
// collector writes. The output adds the record number.
func (r *recorder) event(at instant, h *host, log *windowsLog, id int) object {
	return newObject(r.queue.buffer()).
		text("SourceName", log.provider).
		text("ProviderGuid", log.guid).
		text("Level", log.level).
		text("Keywords", log.keywords).
		text("Channel", log.channel).
		text("Hostname", h.fqdn).
		text("TimeCreated", at.plus(writeLag).format(layoutWindows)).
		number("EventID", int64(id))
}

func (r *recorder) sysmon(at instant, h *host, id int) object {
	log := sysmonLog()
	return r.event(at, h, &log, id).
		text("Task", strconv.Itoa(id)).
		text("RuleName", "-").
		text("UtcTime", at.format(layoutSysmon))
}

func (r *recorder) emitSysmon(at instant, h *host, o object) {
	r.queue.add(at, r.out.sysmon[h.index], o.end())
}

func (p *process) identify(o object) object {
	return o.text("ProcessGuid", p.guid).text("ProcessId", strconv.Itoa(p.pid)).text("Image", p.program.image)
}

func (p *program) describe(o object) object {
	return o.text("FileVersion", p.version).text("Description", p.description).text("Product", p.product).
		text("Company", p.company).text("OriginalFileName", p.original)
}

// integrity is the mandatory level of an account's processes.
func (a *account) integrity() string {
	if a.domain == "NT AUTHORITY" {
		return "System"
	}
	return "Medium"
}

// processCreate is Sysmon event 1.
func (r *recorder) processCreate(at instant, p *process) {
	o := p.program.describe(p.identify(r.sysmon(at, p.host, 1)))
	o = o.text("CommandLine", p.command).
		text("CurrentDirectory", windowsDir).
		text("User", p.account.full()).
		text("LogonGuid", "{"+p.host.machine+"-0000-0000-0000-"+logonTail(p.account)+"}").
		text("LogonId", p.account.logonID).
		text("TerminalSessionId", p.terminal()).
		text("IntegrityLevel", p.account.integrity()).
		text("Hashes", p.program.hashes).
		text("ParentProcessGuid", p.parent.guid).
		text("ParentProcessId", strconv.Itoa(p.parent.pid)).
		text("ParentImage", p.parent.program.image).
		text("ParentCommandLine", p.parent.command).
		text("ParentUser", p.parent.account.full())
	r.emitSysmon(at, p.host, o)
}

func (p *process) terminal() string {
	if p.account.integrity() == "System" || p.host.owner == nil {
		return "0"
	}
	return "1"
}

func logonTail(a *account) string {
	tail := "000000000000" + a.logonID[2:]
	return tail[len(tail)-12:]
}

// processEnd is Sysmon event 5.
func (r *recorder) processEnd(at instant, p *process) {
	o := p.identify(r.sysmon(at, p.host, 5))
	r.emitSysmon(at, p.host, o.text("User", p.account.full()))
}

// imageLoad is Sysmon event 7.
func (r *recorder) imageLoad(at instant, p *process, library *program) {
	o := p.identify(r.sysmon(at, p.host, 7)).text("ImageLoaded", library.image)
	o = library.describe(o).text("Hashes", library.hashes)
	if library.unsigned {
		o = o.text("Signed", "false").text("Signature", "-").text("SignatureStatus", "Unavailable")
	} else {
		o = o.text("Signed", "true").text("Signature", "Microsoft Windows").text("SignatureStatus", "Valid")
	}
	r.emitSysmon(at, p.host, o.text("User", p.account.full()))
}

// processAccess is Sysmon event 10; the letter case of its guids is Sysmon's own.
func (r *recorder) processAccess(at instant, from, to *process, mask string) {
	trace := windowsDir + `ntdll.dll+9d4c4|` + windowsDir + `KERNELBASE.dll+2c13e|`
	if from.program.unsigned {
		trace += "UNKNOWN(000001F2A3C40B7D)"
	} else {
		trace += from.program.image + "+13bad"
	}
	o := r.sysmon(at, from.host, 10).
		text("SourceProcessGUID", from.guid).
		text("SourceProcessId", strconv.Itoa(from.pid)).
		text("SourceThreadId", strconv.Itoa(from.pid+4*r.between(1, 200))).
		text("SourceImage", from.program.image).
		text("TargetProcessGUID", to.guid).
		text("TargetProcessId", strconv.Itoa(to.pid)).
		text("TargetImage", to.program.image).
		text("GrantedAccess", mask).
		text("CallTrace", trace).
		text("SourceUser", from.account.full()).
		text("TargetUser", to.account.full())
	r.emitSysmon(at, from.host, o)
}

// fileCreate is Sysmon event 11.
func (r *recorder) fileCreate(at instant, p *process, path string) {
	o := p.identify(r.sysmon(at, p.host, 11)).
		text("TargetFilename", path).
		text("CreationUtcTime", at.format(layoutSysmon)).
		text("User", p.account.full())
	r.emitSysmon(at, p.host, o)
}

// registryKey is Sysmon event 12 for a key that is created.
func (r *recorder) registryKey(at instant, p *process, key string) {
	o := p.identify(r.sysmon(at, p.host, 12).text("EventType", "CreateKey")).
		text("TargetObject", key).text("User", p.account.full())
	r.emitSysmon(at, p.host, o)
}

// registryValue is Sysmon event 13.
func (r *recorder) registryValue(at instant, p *process, value, details string) {
	o := p.identify(r.sysmon(at, p.host, 13).text("EventType", "SetValue")).
		text("TargetObject", value).text("Details", details).text("User", p.account.full())
	r.emitSysmon(at, p.host, o)
}

// networkConnect is Sysmon event 3 for a flow that the process opened.
func (r *recorder) networkConnect(p *process, f *flow) {
	at := f.at.plus(r.millis(1, 300))
	o := p.identify(r.sysmon(at, p.host, 3)).
		text("User", p.account.full()).
		text("Protocol", f.proto).
		text("Initiated", "true").
		text("SourceIsIpv6", "false").
		text("SourceIp", f.origIP).
		text("SourceHostname", "-").
		text("SourcePort", strconv.Itoa(f.origPort)).
		text("SourcePortName", "-").
		text("DestinationIsIpv6", "false").
		text("DestinationIp", f.respIP).
		text("DestinationHostname", "-").
		text("DestinationPort", strconv.Itoa(f.respPort)).
		text("DestinationPortName", portName(f.respPort))
	r.emitSysmon(at, p.host, o)
}

func portName(port int) string {
	switch port {
	case 80:
		return "http"
	case 443:
		return "https"
	case 445:
		return "microsoft-ds"
	case 389:
		return "ldap"
	case 88:
		return "kerberos"
	}
	return "-"
}

// dnsQuery is Sysmon event 22.
func (r *recorder) dnsQuery(at instant, p *process, s site) {
	o := r.sysmon(at, p.host, 22).
		text("ProcessGuid", p.guid).
		text("ProcessId", strconv.Itoa(p.pid)).
		text("QueryName", s.name)
	if s.ip == "" {
		o = o.text("QueryStatus", "9003").text("QueryResults", "-")
	} else {
		o = o.text("QueryStatus", "0").text("QueryResults", "::ffff:"+s.ip+";")
	}
	r.emitSysmon(at, p.host, o.text("Image", p.program.image).text("User", p.account.full()))
}
