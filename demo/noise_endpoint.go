package demo

import (
	"fmt"
)

func (n *noise) endpointEpisodes() []episode {
	return []episode{
		{30, n.officeWork}, {26, n.browserTab}, {40, n.services}, {8, n.softwareUpdate},
		{3, n.adminScript}, {2, n.managementRun}, {6, n.consoleLogon}, {1, n.mistypedLogon},
		{6, n.scheduledJob}, {18, n.scanner},
	}
}

// loads records the libraries that a process maps in its first moments.
func (n *noise) loads(at instant, p *process, count int) {
	first := n.rand.IntN(len(n.world.libraries))
	for i := range count {
		at = at.plus(n.millis(1, 15))
		n.imageLoad(at, p, n.world.libraries[(first+i)%len(n.world.libraries)])
	}
}

// begins records a process; the audit policy repeats some of them.
func (n *noise) begins(at instant, p *process) {
	n.processCreate(at, p)
	if n.chance(15) {
		n.processAudit(at, p)
	}
}

func (n *noise) officeWork(at instant) {
	h := n.station()
	name := pick(n.rand, []string{"winword", "excel", "excel"})
	u := h.owner.account.name
	file := pick(n.rand, []string{"Weekly report", "Rota", "Quote 2026", "Stock count", "Minutes", "Shipping plan"})
	path := fmt.Sprintf(`C:\Users\%s\Documents\%s %d.%s`, u, file, n.between(1, 40), map[string]string{"winword": "docx", "excel": "xlsx"}[name])
	p := n.spawn(at, h.standing["explorer"], name, `"`+n.world.programs[name].image+`" "`+path+`"`)
	n.begins(at, p)
	n.loads(at, p, n.between(2, 6))
	n.registryValue(at.plus(n.millis(300, 900)), p,
		`HKU\`+h.owner.account.sid+`\Software\Microsoft\Office\16.0\Common\Open Find\Settings\`+file, "Binary Data")
	n.fileCreate(at.plus(n.millis(900, 9000)), p, fmt.Sprintf(`C:\Users\%s\AppData\Roaming\Microsoft\Office\Recent\%s.LNK`, u, file))
	n.processEnd(at.plus(n.millis(30000, 540000)), p)
}

func (n *noise) browserTab(at instant) {
	edge := n.station().standing["edge"]
	p := n.spawn(at, edge, "edge", `"`+edgeImage+`" --type=renderer --lang=en-GB --renderer-client-id=`+fmt.Sprint(n.between(5, 900)))
	n.begins(at, p)
	n.loads(at, p, n.between(1, 3))
	if n.chance(40) {
		n.fileCreate(at.plus(n.millis(100, 4000)), edge, fmt.Sprintf(`C:\Users\%s\AppData\Local\Microsoft\Edge\User Data\Default\Cache\Cache_Data\f_%06x`,
			edge.account.name, n.rand.IntN(1<<24)))
	}
	n.processEnd(at.plus(n.millis(5000, 400000)), p)
}

// services is what Windows does by itself: registry, prefetch, broker processes.
func (n *noise) services(at instant) {
	h := pick(n.rand, n.world.hosts)
	svc := h.standing["svchost"]
	switch n.rand.IntN(5) {
	case 0:
		n.registryKey(at, svc, `HKLM\SOFTWARE\Microsoft\Windows NT\CurrentVersion\Schedule\TaskCache\Tasks\{`+guidText(n.rand)+`}`)
	case 1:
		n.registryValue(at, svc, `HKLM\System\CurrentControlSet\Services\bam\State\UserSettings\S-1-5-18\`+pick(n.rand, n.world.libraries).original, "Binary Data")
	case 2:
		n.registryValue(at, h.standing["services"], fmt.Sprintf(`HKLM\System\CurrentControlSet\Services\W32Time\SecureTimeLimits\RunTime\SecureTimeTickCount%d`, n.between(0, 9)),
			fmt.Sprintf("QWORD (0x00000000-0x%08x)", n.rand.Uint32()))
	case 3:
		n.fileCreate(at, svc, fmt.Sprintf(`C:\Windows\Prefetch\%s-%08X.pf`, pick(n.rand, []string{"SVCHOST.EXE", "RUNTIMEBROKER.EXE", "TASKHOSTW.EXE"}), n.rand.Uint32()))
	default:
		p := n.spawn(at, svc, pick(n.rand, []string{"broker", "taskhost"}), "")
		p.command = p.program.image + " -Embedding"
		n.begins(at, p)
		n.loads(at, p, n.between(1, 3))
		n.processEnd(at.plus(n.millis(2000, 200000)), p)
	}
}

// softwareUpdate runs the servicing stack.
func (n *noise) softwareUpdate(at instant) {
	svc := pick(n.rand, n.world.hosts).standing["svchost"]
	p := n.spawn(at, svc, "updater", windowsDir+"MoUsoCoreWorker.exe -Embedding")
	n.begins(at, p)
	worker := n.spawn(at, svc, "tiworker", `C:\Windows\WinSxS\amd64_servicing\TiWorker.exe -Embedding`)
	at = at.plus(n.millis(500, 3000))
	n.begins(at, worker)
	n.loads(at, worker, 3)
	for range n.between(1, 4) {
		n.fileCreate(at.plus(n.millis(500, 20000)), worker, `C:\Windows\SoftwareDistribution\Download\`+hexText(n.rand, 16))
	}
	n.registryValue(at.plus(n.millis(20000, 30000)), worker,
		`HKLM\SOFTWARE\Microsoft\Windows\CurrentVersion\Component Based Servicing\SessionIdHigh`, fmt.Sprintf("DWORD (0x%08x)", n.rand.Uint32()))
	n.processEnd(at.plus(n.millis(40000, 90000)), worker)
	n.processEnd(at.plus(n.millis(90000, 100000)), p)
}

// adminScript is an administrator's PowerShell, in plain text.
func (n *noise) adminScript(at instant) {
	admin := pick(n.rand, n.world.inDepartment("IT"))
	h := pick(n.rand, []*host{n.world.servers["MGMT01"], n.world.servers["JUMP01"], admin.station})
	s := pick(n.rand, []script{
		{text: "Get-ADUser -Filter * -Properties LastLogonDate | Where-Object Enabled | Export-Csv C:\\Reports\\users.csv", path: `C:\Scripts\Export-Users.ps1`},
		{text: "Get-Service -ComputerName (Get-Content C:\\Scripts\\servers.txt) -Name Spooler", path: `C:\Scripts\Check-Spooler.ps1`},
		{text: "Test-NetConnection -ComputerName FS01 -Port 445"},
		{text: "Invoke-WebRequest -Uri http://download.osvendor.example/tools/readme.txt -OutFile C:\\Temp\\readme.txt", path: `C:\Scripts\Get-Tools.ps1`},
	})
	command := psImage + " -NoProfile -ExecutionPolicy RemoteSigned -File " + s.path
	if s.path == "" {
		command = psImage + ` -Command "` + s.text + `"`
	}
	p := n.spawn(at, h.standing["svchost"], "powershell", command)
	p.account = admin.account
	n.runScript(at, p, s)
}

// managementRun is the management agent: a legitimate user of -EncodedCommand.
func (n *noise) managementRun(at instant) {
	text := pick(n.rand, []string{
		"Get-CimInstance Win32_QuickFixEngineering | Select-Object HotFixID,InstalledOn | ConvertTo-Json",
		"Get-CimInstance Win32_LogicalDisk -Filter 'DriveType=3' | Select-Object DeviceID,FreeSpace | ConvertTo-Json",
		"Get-ItemProperty HKLM:\\Software\\Microsoft\\Windows\\CurrentVersion\\Uninstall\\* | Select-Object DisplayName,DisplayVersion | ConvertTo-Json",
	})
	agent := pick(n.rand, n.world.hosts).standing["agent"]
	p := n.spawn(at, agent, "powershell", psImage+" -NoProfile -NonInteractive -EncodedCommand "+encoded(text))
	n.runScript(at, p, script{text: text})
}

func (n *noise) runScript(at instant, p *process, s script) {
	n.processCreate(at, p)
	n.processAudit(at, p)
	n.loads(at, p, n.between(3, 6))
	n.fileCreate(at.plus(n.millis(200, 300)), p, `C:\Windows\Temp\__PSScriptPolicyTest_`+hexText(n.rand, 4)+`.ps1`)
	n.scriptBlock(at.plus(n.millis(400, 600)), p, s)
	n.processEnd(at.plus(n.millis(1500, 30000)), p)
}

func (n *noise) consoleLogon(at instant) {
	h := n.station()
	l := &logon{host: h, account: h.owner.account, kind: pick(n.rand, []string{"2", "7", "7"}), fromIP: "127.0.0.1", from: h.name}
	if n.chance(35) {
		h = n.server()
		l = &logon{host: h, account: pick(n.rand, n.world.services), kind: "5", fromIP: "-", from: "-"}
	}
	n.loggedOn(at, l)
}

// mistypedLogon is a wrong password or two, then mostly the right one.
func (n *noise) mistypedLogon(at instant) {
	h := n.station()
	l := &logon{host: h, account: h.owner.account, kind: "7", fromIP: "127.0.0.1", from: h.name}
	for range n.between(1, 2) {
		n.logonFailed(at, l)
		at = at.plus(n.millis(2500, 9000))
	}
	if n.chance(90) {
		n.loggedOn(at, l)
	}
}

// scheduledJob is a service account at work on a server.
func (n *noise) scheduledJob(at instant) {
	h := pick(n.rand, []*host{n.world.servers["BKP01"], n.world.servers["FS01"], n.world.servers["SQL01"]})
	p := n.spawn(at, h.standing["svchost"], "robocopy",
		fmt.Sprintf(`robocopy.exe D:\Data\%s \\BKP01\nightly\%s /MIR /R:1 /W:1`, h.name, h.name))
	p.account = n.world.services[0]
	n.begins(at, p)
	n.loads(at, p, n.between(1, 3))
	n.fileCreate(at.plus(n.millis(500, 3000)), p, `D:\Logs\robocopy-`+at.format(layoutDay)+`.log`)
	n.processEnd(at.plus(n.millis(4000, 240000)), p)
}

// scanner is the antivirus and the management agent looking at other processes;
// LSASS too, but never with the right to read its memory.
func (n *noise) scanner(at instant) {
	h := pick(n.rand, n.world.hosts)
	from := h.standing[pick(n.rand, []string{"defender", "agent", "svchost"})]
	to := pick(n.rand, []string{"lsass", "services", "spooler", "wmiprvse"})
	mask := pick(n.rand, []string{"0x1000", "0x1400", "0x101000"})
	if to != "lsass" && n.chance(20) {
		mask = "0x1410"
	}
	n.processAccess(at, from, h.standing[to], mask)
}
