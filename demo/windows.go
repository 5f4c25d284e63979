package demo

import (
	"fmt"
	"strconv"
)

// windowsLog is what every record of one event log channel says.
type windowsLog struct {
	channel, provider, guid, level, keywords string
}

func sysmonLog() windowsLog {
	return windowsLog{"Microsoft-Windows-Sysmon/Operational", "Microsoft-Windows-Sysmon",
		"{5770385f-c22a-43e0-bf4c-06f5698ffbd9}", "4", "0x8000000000000000"}
}

func securityLog(success bool) windowsLog {
	log := windowsLog{"Security", "Microsoft-Windows-Security-Auditing",
		"{54849625-5478-4994-a5ba-3e3b0328c30d}", "0", "0x8010000000000000"}
	if success {
		log.keywords = "0x8020000000000000"
	}
	return log
}

func powershellLog(level string) windowsLog {
	return windowsLog{"Microsoft-Windows-PowerShell/Operational", "Microsoft-Windows-PowerShell",
		"{a0c1853b-5c40-4b15-8766-3cf1c58f985a}", level, "0x0"}
}

// logon describes events 4624 and 4625 on a host.
type logon struct {
	host     *host
	account  *account
	kind     string // Windows logon type: 2 interactive, 3 network, 5 service, 7 unlock
	fromIP   string // "-" where there is none
	fromPort int
	from     string // workstation name
	ntlm     bool
	session  string // logon id; "" is a new one
}

func (l *logon) authentication(o object) object {
	process, pkg, lm, key := "User32 ", "Negotiate", "-", "0"
	switch {
	case l.ntlm:
		process, pkg, lm, key = "NtLmSsp ", "NTLM", "NTLM V2", "128"
	case l.kind == "3":
		process, pkg = "Kerberos", "Kerberos"
	case l.kind == "5":
		process = "Advapi  "
	}
	return o.text("LogonProcessName", process).text("AuthenticationPackageName", pkg).
		text("WorkstationName", l.from).text("TransmittedServices", "-").
		text("LmPackageName", lm).text("KeyLength", key)
}

func (l *logon) source(o object) object {
	return o.text("IpAddress", l.fromIP).text("IpPort", strconv.Itoa(l.fromPort))
}

// subject names who asked for the logon: nobody over the network, the machine
// at its console.
func (l *logon) subject(o object) object {
	if l.kind == "3" {
		return o.text("SubjectUserSid", "S-1-0-0").text("SubjectUserName", "-").
			text("SubjectDomainName", "-").text("SubjectLogonId", "0x0")
	}
	return o.text("SubjectUserSid", "S-1-5-18").text("SubjectUserName", l.host.name+"$").
		text("SubjectDomainName", companyNetBIOS).text("SubjectLogonId", "0x3e7")
}

// loggedOn is Security event 4624.
func (r *recorder) loggedOn(at instant, l *logon) {
	log, id := securityLog(true), l.session
	if id == "" {
		id = r.newLogonID()
	}
	o := l.subject(r.event(at, l.host, &log, 4624).text("Task", "12544")).
		text("TargetUserSid", l.account.sid).
		text("TargetUserName", l.account.name).
		text("TargetDomainName", l.account.domain).
		text("TargetLogonId", id).
		text("LogonType", l.kind)
	o = l.authentication(o).
		text("LogonGuid", "{"+guidText(r.rand)+"}").
		text("ProcessId", "0x0").
		text("ProcessName", "-")
	o = l.source(o).
		text("ImpersonationLevel", "%%1833").
		text("RestrictedAdminMode", "-").
		text("VirtualAccount", "%%1843").
		text("TargetLinkedLogonId", "0x0").
		text("ElevatedToken", "%%1843")
	r.queue.add(at, r.out.security[l.host.index], o.end())
}

func (r *recorder) newLogonID() string { return fmt.Sprintf("0x%x", 0x1000000+r.rand.IntN(0x7000000)) }

// logonFailed is Security event 4625 for a wrong password.
func (r *recorder) logonFailed(at instant, l *logon) {
	log := securityLog(false)
	o := l.subject(r.event(at, l.host, &log, 4625).text("Task", "12544")).
		text("TargetUserSid", "S-1-0-0").
		text("TargetUserName", l.account.name).
		text("TargetDomainName", l.account.domain).
		text("Status", "0xc000006d").
		text("FailureReason", "%%2313").
		text("SubStatus", "0xc000006a").
		text("LogonType", l.kind)
	o = l.authentication(o).text("ProcessId", "0x0").text("ProcessName", "-")
	r.queue.add(at, r.out.security[l.host.index], l.source(o).end())
}

// processAudit is Security event 4688: a process again, as the audit policy sees it.
func (r *recorder) processAudit(at instant, p *process) {
	log, label := securityLog(true), "S-1-16-8192"
	if p.account.integrity() == "System" {
		label = "S-1-16-16384"
	}
	o := r.event(at, p.host, &log, 4688).
		text("Task", "13312").
		text("SubjectUserSid", p.account.sid).
		text("SubjectUserName", p.account.name).
		text("SubjectDomainName", p.account.domain).
		text("SubjectLogonId", p.account.logonID).
		text("NewProcessId", fmt.Sprintf("0x%x", p.pid)).
		text("NewProcessName", p.program.image).
		text("TokenElevationType", "%%1936").
		text("ProcessId", fmt.Sprintf("0x%x", p.parent.pid)).
		text("CommandLine", p.command).
		text("TargetUserSid", "S-1-0-0").
		text("TargetUserName", "-").
		text("TargetDomainName", "-").
		text("TargetLogonId", "0x0").
		text("ParentProcessName", p.parent.program.image).
		text("MandatoryLabel", label)
	r.queue.add(at, r.out.security[p.host.index], o.end())
}

// script is the text of a PowerShell script block and the file it came from.
type script struct {
	text, path string
	suspicious bool
}

// scriptBlock is PowerShell event 4104. PowerShell itself raises the level of
// text that it finds suspicious.
func (r *recorder) scriptBlock(at instant, p *process, s script) {
	level := "5"
	if s.suspicious {
		level = "3"
	}
	log := powershellLog(level)
	o := r.event(at, p.host, &log, 4104).
		text("Task", "2").
		number("ExecutionProcessID", int64(p.pid)).
		text("UserID", p.account.sid).
		text("Domain", p.account.domain).
		text("AccountName", p.account.name).
		text("MessageNumber", "1").
		text("MessageTotal", "1").
		text("ScriptBlockText", s.text).
		text("ScriptBlockId", guidText(r.rand)).
		text("Path", s.path)
	r.queue.add(at, r.out.powershell[p.host.index], o.end())
}
