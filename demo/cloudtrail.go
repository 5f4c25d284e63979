package demo

// call is one CloudTrail record. Nested values are JSON text; "" is left out
// where AWS leaves it out and null where AWS writes null.
type call struct {
	identity            string // userIdentity
	service, name       string
	ip, agent           string
	errorCode, errorMsg string
	request, response   string
	additional          string
	resources           string
	region              string // "" is the home region
	write               bool   // not readOnly
	data                bool   // a data event, not a management event
	signIn              bool   // a console sign-in, not an API call
}

// User agents of browsers and of AWS clients.
const (
	agentFirefox  = "Mozilla/5.0 (X11; Linux x86_64; rv:133.0) Gecko/20100101 Firefox/133.0"
	agentConsole  = "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/131.0.0.0 Safari/537.36 Edg/131.0.0.0"
	agentCLI      = "aws-cli/2.22.12 md/awscrt#0.23.4 ua/2.0 os/windows#10 md/arch#amd64 lang/python#3.12.6 md/pyimpl#CPython cfg/retry-mode#standard"
	agentCLILinux = "aws-cli/2.9.19 Python/3.11.2 Linux/6.1.0-18-amd64 exe/x86_64.debian.12 prompt/off"
	agentTerra    = "APN/1.0 HashiCorp/1.0 Terraform/1.9.8 aws-sdk-go-v2/1.32.3 os/linux lang/go#1.23.2"
)

// trail adds a CloudTrail record in AWS's field order.
func (r *recorder) trail(at instant, c call) {
	kind, category := "AwsApiCall", "Management"
	if c.signIn {
		kind = "AwsConsoleSignIn"
	}
	if c.data {
		category = "Data"
	}
	o := newObject(r.queue.buffer()).
		text("eventVersion", "1.09").
		raw("userIdentity", c.identity).
		text("eventTime", at.format(layoutSeconds)).
		text("eventSource", c.service+".amazonaws.com").
		text("eventName", c.name).
		text("awsRegion", orElse(c.region, homeRegion)).
		text("sourceIPAddress", c.ip).
		text("userAgent", c.agent)
	if c.errorCode != "" {
		o = o.text("errorCode", c.errorCode)
	}
	if c.errorMsg != "" {
		o = o.text("errorMessage", c.errorMsg)
	}
	o = o.raw("requestParameters", orElse(c.request, "null")).raw("responseElements", orElse(c.response, "null"))
	if c.additional != "" {
		o = o.raw("additionalEventData", c.additional)
	}
	if !c.signIn {
		o = o.text("requestID", guidText(r.rand))
	}
	o = o.text("eventID", guidText(r.rand)).flag("readOnly", !c.write)
	if c.resources != "" {
		o = o.raw("resources", c.resources)
	}
	o = o.text("eventType", kind).flag("managementEvent", !c.data).
		text("recipientAccountId", accountID).text("eventCategory", category)
	r.queue.add(at, r.out.trail, r.tls(o, c).end())
}

func (r *recorder) tls(o object, c call) object {
	host := c.service + "." + orElse(c.region, homeRegion) + ".amazonaws.com"
	if c.signIn {
		host = homeRegion + ".signin.aws.amazon.com"
	}
	return o.open("tlsDetails").text("tlsVersion", "TLSv1.3").
		text("cipherSuite", "TLS_AES_128_GCM_SHA256").text("clientProvidedHostHeader", host).end()
}

func orElse(s, fallback string) string {
	if s == "" {
		return fallback
	}
	return s
}

// iamUser is the userIdentity of a person's IAM user, named by the UPN, with
// the given access key; the console shows none.
func iamUser(u *user, key string) string {
	o := newObject(nil).text("type", "IAMUser").
		text("principalId", u.awsID).
		text("arn", iamUserARN(u.upn)).
		text("accountId", accountID)
	if key != "" {
		o = o.text("accessKeyId", key)
	}
	return string(o.text("userName", u.upn).end())
}

func iamUserARN(name string) string { return "arn:aws:iam::" + accountID + ":user/" + name }

// session is a role that somebody assumed.
type session struct {
	role    role
	name    string
	key     string
	created instant
	mfa     bool
}

func (s session) arn() string {
	return "arn:aws:sts::" + accountID + ":assumed-role/" + s.role.name + "/" + s.name
}

func (s session) identity() string {
	mfa := "false"
	if s.mfa {
		mfa = "true"
	}
	o := newObject(nil).text("type", "AssumedRole").
		text("principalId", s.role.id+":"+s.name).
		text("arn", s.arn()).
		text("accountId", accountID).
		text("accessKeyId", s.key)
	o = o.open("sessionContext").open("sessionIssuer").
		text("type", "Role").text("principalId", s.role.id).text("arn", s.role.arn()).
		text("accountId", accountID).text("userName", s.role.name).end()
	o = o.open("attributes").text("creationDate", s.created.format(layoutSeconds)).
		text("mfaAuthenticated", mfa).end().end()
	return string(o.end())
}

func awsService(name string) string {
	return string(newObject(nil).text("type", "AWSService").text("invokedBy", name).end())
}

// consoleLogin is the call of a console sign-in; the password was right or not.
func consoleLogin(u *user, ip, agent string, mfa bool) call {
	used := "No"
	if mfa {
		used = "Yes"
	}
	return call{identity: iamUser(u, ""), service: "signin", name: "ConsoleLogin", ip: ip, agent: agent,
		response: `{"ConsoleLogin":"Success"}`, write: true, signIn: true,
		additional: string(newObject(nil).text("LoginTo", "https://console.aws.amazon.com/console/home").
			text("MobileVersion", "No").text("MFAUsed", used).end())}
}

// assumeRole is the call that begins a session.
func (r *recorder) assumeRole(identity string, s session) call {
	req := newObject(nil).text("roleArn", s.role.arn()).text("roleSessionName", s.name).number("durationSeconds", 3600).end()
	resp := newObject(nil).open("credentials").text("accessKeyId", s.key).
		text("sessionToken", textOf(r.rand, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/", 64)).
		text("expiration", s.created.plus(3600e9).format("Jan 2, 2006, 3:04:05 PM")).end()
	resp = resp.open("assumedRoleUser").text("assumedRoleId", s.role.id+":"+s.name).text("arn", s.arn()).end().end()
	return call{identity: identity, service: "sts", name: "AssumeRole", request: string(req), response: string(resp),
		resources: `[{"accountId":"` + accountID + `","type":"AWS::IAM::Role","ARN":"` + s.role.arn() + `"}]`}
}

// objectCall is a data event on an S3 object.
func objectCall(identity, name, bucket, key string) call {
	arn := "arn:aws:s3:::" + bucket
	req := newObject(nil).text("bucketName", bucket).text("Host", bucket+".s3.amazonaws.com").text("key", key).end()
	return call{identity: identity, service: "s3", name: name, request: string(req), data: true, write: name != "GetObject",
		resources: `[{"type":"AWS::S3::Object","ARN":"` + arn + "/" + key + `"},{"accountId":"` + accountID +
			`","type":"AWS::S3::Bucket","ARN":"` + arn + `"}]`}
}

// createAccessKey is the call by which an IAM user gives an IAM user a new key.
func createAccessKey(at instant, identity, userName, key string) call {
	resp := newObject(nil).open("accessKey").text("userName", userName).text("accessKeyId", key).
		text("status", "Active").text("createDate", at.format("Jan 2, 2006 3:04:05 PM")).end().end()
	return call{identity: identity, service: "iam", name: "CreateAccessKey", write: true,
		request: string(newObject(nil).text("userName", userName).end()), response: string(resp)}
}

// from says where a call came from.
func (c call) from(ip, agent string) call {
	c.ip, c.agent = ip, agent
	return c
}
