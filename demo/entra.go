package demo

import "strconv"

// signIn is one Entra ID sign-in record as diagnostic settings export it.
type signIn struct {
	user      *user
	principal *account // a service principal signs in instead of the user
	category  string   // "" is SignInLogs
	app       app
	ip        string
	where     place
	agent     string
	system    string // operating system of the device
	browser   string
	deviceID  string // "" for a device that Entra does not know
	code      int    // result: 0 is success
	reason    string
	mfa       bool // more than a password was required
	risk      string
	riskTypes []string
	session   string // correlation id; "" is a new one
}

// app is a cloud application and the resource that it asks for.
type app struct {
	name, id, resource string
}

func cloudApps() []app {
	return []app{
		{"Office 365 Exchange Online", "5a1f3c62-90b7-4d15-a8e4-2c6b7f10d9e3", "Office 365 Exchange Online"},
		{"Microsoft Teams", "8c2e4b19-57da-4f60-a3b1-60d4e8f9721c", "Microsoft Teams Services"},
		{"Office 365 SharePoint Online", "d07b6e3a-1c48-4925-a6f2-9b35c0e417da", "Office 365 SharePoint Online"},
		{"Azure Portal", "3f9d21c7-6e0b-4a84-ae57-18c2d4b5f603", "Windows Azure Service Management API"},
		{"Salesnest CRM", "b41c7f05-28e9-4d37-a19c-f6e30a5d8b72", "Salesnest CRM"},
	}
}

func awsApp() app {
	return app{"Amazon Web Services (AWS)", "e6502d98-c3b7-4a1f-a5d8-07f94b2ce136", "Amazon Web Services (AWS)"}
}

func (s *signIn) requirement() string {
	if s.mfa {
		return "multiFactorAuthentication"
	}
	return "singleFactorAuthentication"
}

func (s *signIn) conditionalAccess() string {
	switch {
	case s.code == 0:
		return "success"
	case s.mfa:
		return "failure"
	}
	return "notApplied"
}

// signIn adds the record. The outer part is the envelope of diagnostic
// settings, properties the sign-in itself.
func (r *recorder) signIn(at instant, s signIn) {
	signature, correlation := "None", s.session
	if s.code != 0 {
		signature = "FAILURE"
	}
	if correlation == "" {
		correlation = guidText(r.rand)
	}
	o := newObject(r.queue.buffer()).
		text("time", at.format(layoutEntra)).
		text("resourceId", "/tenants/"+r.world.tenantID+"/providers/Microsoft.aadiam").
		text("operationName", "Sign-in activity").
		text("operationVersion", "1.0").
		text("category", orElse(s.category, "SignInLogs")).
		text("tenantId", r.world.tenantID).
		text("resultType", strconv.Itoa(s.code)).
		text("resultSignature", signature)
	if s.reason != "" {
		o = o.text("resultDescription", s.reason)
	}
	o = o.number("durationMs", 0).
		text("callerIpAddress", s.ip).
		text("correlationId", correlation).
		text("identity", s.displayName()).
		text("Level", "4").
		text("location", s.where.country)
	o = r.properties(o.open("properties"), at, &s).text("correlationId", correlation).end()
	r.queue.add(at, r.out.signIns, append(o.end(), '\n'))
}

func (s *signIn) displayName() string {
	if s.principal != nil {
		return s.principal.name
	}
	return s.user.display
}

func (r *recorder) properties(o object, at instant, s *signIn) object {
	o = s.subject(o.text("id", guidText(r.rand)).text("createdDateTime", at.format(layoutEntra)))
	o = o.text("appDisplayName", s.app.name).text("appId", s.app.id).
		text("ipAddress", s.ip).
		text("clientAppUsed", "Browser").
		text("userAgent", s.agent).
		text("conditionalAccessStatus", s.conditionalAccess()).
		flag("isInteractive", s.category == "").
		text("authenticationRequirement", s.requirement()).
		text("resourceDisplayName", s.app.resource)
	o = s.device(o)
	o = o.open("location").text("city", s.where.city).text("state", s.where.state).
		text("countryOrRegion", s.where.country).open("geoCoordinates").
		float("latitude", s.where.latitude).float("longitude", s.where.longitude).end().end()
	o = s.riskFields(o)
	o = o.open("status").number("errorCode", int64(s.code))
	if s.reason != "" {
		o = o.text("failureReason", s.reason)
	}
	return o.end().text("tokenIssuerType", "AzureAD").number("processingTimeInMilliseconds", int64(r.between(40, 900)))
}

func (s *signIn) subject(o object) object {
	if s.principal != nil {
		return o.text("servicePrincipalName", s.principal.name).text("servicePrincipalId", s.deviceID)
	}
	return o.text("userDisplayName", s.user.display).
		text("userPrincipalName", s.user.upn).
		text("userId", s.user.objectID).
		text("userType", "Member")
}

func (s *signIn) device(o object) object {
	known := s.deviceID != "" && s.principal == nil
	o = o.open("deviceDetail")
	if known {
		o = o.text("deviceId", s.deviceID)
		if s.user.station != nil {
			o = o.text("displayName", s.user.station.name)
		}
		o = o.text("trustType", "Azure AD joined")
	} else {
		o = o.text("deviceId", "")
	}
	return o.text("operatingSystem", s.system).text("browser", s.browser).
		flag("isCompliant", known).flag("isManaged", known).end()
}

func (s *signIn) riskFields(o object) object {
	risk, state := orElse(s.risk, "none"), "none"
	if risk != "none" {
		state = "atRisk"
	}
	o = append(o.text("riskLevelDuringSignIn", risk).text("riskLevelAggregated", risk).
		text("riskState", state).text("riskDetail", "none").key("riskEventTypes_v2"), '[')
	for i, t := range s.riskTypes {
		if i > 0 {
			o = append(o, ',')
		}
		o = appendQuoted(o, t)
	}
	return append(o, ']')
}
