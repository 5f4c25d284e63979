package demo

// The invented company and everything around it.
const (
	companyDomain  = "alderfinch.example"
	companyNetBIOS = "ALDERFINCH"
	companyEgress  = "192.0.2.10"
	accountID      = "123456789012"
	homeRegion     = "us-east-1"
)

func firstNames() []string {
	return []string{
		"Adela", "Bruno", "Carla", "Dinis", "Elsa", "Filipe", "Greta", "Hugo", "Irene", "Jorge",
		"Katrin", "Luis", "Marta", "Nuno", "Olga", "Paulo", "Quim", "Rita", "Sergio", "Teresa",
		"Ulla", "Vasco", "Wanda", "Xavier", "Yara", "Zeno", "Amalia", "Bento", "Clara", "Duarte",
	}
}

func lastNames() []string {
	return []string{
		"Abreu", "Barros", "Castel", "Dray", "Esteves", "Fonte", "Garrido", "Holm", "Ilves", "Jarnik",
		"Kerr", "Lobato", "Moreno", "Neves", "Ochoa", "Pinho", "Queiroz", "Rocha", "Sarmento", "Torres",
		"Ulrich", "Veiga", "Wester", "Xara", "Ymer", "Zarco", "Almada", "Brandt", "Cordeiro", "Dahl",
	}
}

func departments() []string {
	return []string{"Finance", "Sales", "Operations", "IT", "Engineering"}
}

// departmentCodes are the part of a workstation's name, by department.
func departmentCodes() []string { return []string{"FIN", "SAL", "OPS", "ADM", "ENG"} }

func serverNames() []string {
	return []string{"DC01", "DC02", "FS01", "FIN-APP01", "SQL01", "PRINT01", "UPD01", "MGMT01", "JUMP01", "BKP01"}
}

// site is a service on the Internet that people and machines of the company use.
type site struct {
	name, ip string
}

func siteNames() []string {
	return []string{
		"mail.cloudsuite.example", "login.cloudsuite.example", "files.cloudsuite.example", "chat.cloudsuite.example",
		"www.dailyharbour.example", "cdn.dailyharbour.example", "static.pagecraft.example", "fonts.pagecraft.example",
		"www.portfreight.example", "track.portfreight.example", "api.portfreight.example", "www.mapview.example",
		"tiles.mapview.example", "www.searchlark.example", "img.searchlark.example", "www.bankofalder.example",
		"secure.bankofalder.example", "crm.salesnest.example", "app.salesnest.example", "git.codeharbor.example",
		"registry.codeharbor.example", "ads.clickmeadow.example", "metrics.clickmeadow.example", "video.streamloft.example",
		"www.officegoods.example", "travel.skyroute.example", "meet.talkbridge.example", "telemetry.osvendor.example",
		"time.osvendor.example", "console.cloudhost.example",
	}
}

// plainSiteNames answer on port 80: software updates and certificate status.
func plainSiteNames() []string {
	return []string{"download.osvendor.example", "update.browsermaker.example", "ocsp.trustroot.example", "crl.trustroot.example"}
}

// place is where a sign-in comes from.
type place struct {
	city, state, country string
	latitude, longitude  float64
}

func officePlace() place { return place{"Lisbon", "Lisboa", "PT", 38.7223, -9.1393} }

func homePlaces() []place {
	return []place{
		officePlace(),
		{"Setubal", "Setubal", "PT", 38.5244, -8.8882},
		{"Porto", "Porto", "PT", 41.1496, -8.611},
	}
}

func travelPlaces() []place {
	return []place{{"Madrid", "Madrid", "ES", 40.4168, -3.7038}, {"Lyon", "Rhone", "FR", 45.764, 4.8357}}
}

// attackerPlaces hold the rented server that the attacker works from.
func attackerPlaces() []place {
	return []place{
		{"Singapore", "Central Singapore", "SG", 1.3521, 103.8198},
		{"Montreal", "Quebec", "CA", 45.5019, -73.5674},
		{"Santiago", "Santiago Metropolitan", "CL", -33.4489, -70.6693},
	}
}

func attackerDomains() []string {
	return []string{"cdn.invoice-portal.example", "files.billing-desk.example", "sync.docu-relay.example"}
}

const (
	windowsDir = `C:\Windows\System32\`
	officeDir  = `C:\Program Files\Microsoft Office\root\Office16\`
	edgeImage  = `C:\Program Files (x86)\Microsoft\Edge\Application\msedge.exe`
	psImage    = windowsDir + `WindowsPowerShell\v1.0\powershell.exe`
	agentImage = `C:\Program Files\Fleetwise\Agent\fwagent.exe`
)

// program is an executable or a library on disk.
type program struct {
	image, original, description string
	product, company, version    string
	hashes                       string
	unsigned                     bool
}

const (
	microsoft   = "Microsoft Corporation"
	windowsProd = "Microsoft Windows Operating System"
	windowsVer  = "10.0.19041.4522 (WinBuild.160101.0800)"
)

func windowsProgram(image, original, description string) program {
	return program{image: image, original: original, description: description,
		product: windowsProd, company: microsoft, version: windowsVer}
}

func officeProgram(file, description string) program {
	return program{image: officeDir + file, original: file, description: description,
		product: "Microsoft Office", company: microsoft, version: "16.0.17531.20140"}
}

// programTable is keyed by the short name that the episodes use.
func programTable() map[string]program {
	return map[string]program{
		"system":     windowsProgram("System", "-", "-"),
		"services":   windowsProgram(windowsDir+"services.exe", "services.exe", "Services and Controller app"),
		"lsass":      windowsProgram(windowsDir+"lsass.exe", "lsass.exe", "Local Security Authority Process"),
		"svchost":    windowsProgram(windowsDir+"svchost.exe", "svchost.exe", "Host Process for Windows Services"),
		"explorer":   windowsProgram(`C:\Windows\explorer.exe`, "EXPLORER.EXE", "Windows Explorer"),
		"cmd":        windowsProgram(windowsDir+"cmd.exe", "Cmd.Exe", "Windows Command Processor"),
		"conhost":    windowsProgram(windowsDir+"conhost.exe", "CONHOST.EXE", "Console Window Host"),
		"powershell": windowsProgram(psImage, "PowerShell.EXE", "Windows PowerShell"),
		"whoami":     windowsProgram(windowsDir+"whoami.exe", "whoami.exe", "whoami - displays logged on user information"),
		"net":        windowsProgram(windowsDir+"net.exe", "net.exe", "Net Command"),
		"nltest":     windowsProgram(windowsDir+"nltest.exe", "nltestrk.exe", "Microsoft Logon Server Test Utility"),
		"ipconfig":   windowsProgram(windowsDir+"ipconfig.exe", "ipconfig.exe", "IP Configuration Utility"),
		"wmiprvse":   windowsProgram(windowsDir+`wbem\WmiPrvSE.exe`, "Wmiprvse.exe", "WMI Provider Host"),
		"tiworker":   windowsProgram(`C:\Windows\WinSxS\amd64_servicing\TiWorker.exe`, "TiWorker.exe", "Windows Modules Installer Worker"),
		"updater":    windowsProgram(windowsDir+"MoUsoCoreWorker.exe", "MoUsoCoreWorker.exe", "MoUSO Core Worker Process"),
		"broker":     windowsProgram(windowsDir+"RuntimeBroker.exe", "RuntimeBroker.exe", "Runtime Broker"),
		"taskhost":   windowsProgram(windowsDir+"taskhostw.exe", "taskhostw.exe", "Host Process for Windows Tasks"),
		"robocopy":   windowsProgram(windowsDir+"Robocopy.exe", "robocopy.exe", "Microsoft Robocopy"),
		"spooler":    windowsProgram(windowsDir+"spoolsv.exe", "spoolsv.exe", "Spooler SubSystem App"),
		"winword":    officeProgram("WINWORD.EXE", "Microsoft Word"),
		"excel":      officeProgram("EXCEL.EXE", "Microsoft Excel"),
		"outlook":    officeProgram("OUTLOOK.EXE", "Microsoft Outlook"),
		"defender": {image: `C:\ProgramData\Microsoft\Windows Defender\Platform\4.18.24050.7-0\MsMpEng.exe`, original: "MsMpEng.exe",
			description: "Antimalware Service Executable", product: windowsProd, company: microsoft, version: "4.18.24050.7"},
		"edge": {image: edgeImage, original: "msedge.exe", description: "Microsoft Edge",
			product: "Microsoft Edge", company: microsoft, version: "131.0.2903.112"},
		"agent": {image: agentImage, original: "fwagent.exe", description: "Fleetwise Management Agent",
			product: "Fleetwise", company: "Fleetwise Systems", version: "7.4.1.0"},
		"finledger": {image: `C:\Program Files\FinLedger\FinLedgerSvc.exe`, original: "FinLedgerSvc.exe", description: "FinLedger Application Service",
			product: "FinLedger", company: "Ledgerworks", version: "12.2.0.3"},
		"payload": {image: "-", original: "-", description: "-", product: "-", company: "-", version: "-", unsigned: true},
	}
}

func libraryTable() []program {
	files := []string{"kernel32.dll", "KernelBase.dll", "ntdll.dll", "user32.dll", "advapi32.dll", "sechost.dll", "rpcrt4.dll",
		"combase.dll", "ole32.dll", "shell32.dll", "shlwapi.dll", "ws2_32.dll", "bcrypt.dll", "crypt32.dll", "wininet.dll",
		"winhttp.dll", "dnsapi.dll", "amsi.dll", "propsys.dll", "version.dll", "clbcatq.dll", "urlmon.dll", "dpapi.dll", "wldp.dll"}
	table := make([]program, len(files))
	for i, f := range files {
		table[i] = windowsProgram(windowsDir+f, f, "Windows library "+f)
	}
	return table
}
