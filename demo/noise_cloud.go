package demo

import (
	"fmt"
)

func (n *noise) cloudEpisodes() []episode {
	return []episode{{30, n.serviceRole}, {34, n.developer}, {10, n.deployment}, {10, n.keyUse}, {5, n.consoleVisit}, {3, n.financeExport}, {1, n.keyRotation}}
}

// serviceRole: AWS services take the roles of functions and machines and use them.
func (n *noise) serviceRole(at instant) {
	service, role, name := "lambda.amazonaws.com", n.world.role("lambda-order-events"), "order-events"
	if n.chance(40) {
		service, role, name = "ec2.amazonaws.com", n.world.role("ec2-web-frontend"), "i-0"+hexText(n.rand, 8)
	}
	s := n.session(at, role, name)
	n.trail(at, n.assumeRole(awsService(service), s).from(service, service))
	if n.chance(60) {
		c := objectCall(s.identity(), pick(n.rand, []string{"GetObject", "PutObject"}), "alderfinch-orders", fmt.Sprintf("in/%s/%s.json", at.format(layoutDay), hexText(n.rand, 6)))
		n.trail(at.plus(n.millis(200, 4000)), c.from("10.40.0."+fmt.Sprint(n.between(10, 60)), "aws-sdk-java/2.29.1 Linux/5.10.230 OpenJDK_64-Bit_Server_VM/17.0.13"))
	}
}

func (n *noise) session(at instant, role role, name string) session {
	return session{role: role, name: name, key: "ASIA" + upperText(n.rand, 16), created: at}
}

// reads are calls that only look.
func reads() []call {
	return []call{
		{service: "ec2", name: "DescribeInstances", request: `{"instancesSet":{},"filterSet":{}}`},
		{service: "ec2", name: "DescribeSecurityGroups", request: `{"securityGroupSet":{},"securityGroupIdSet":{}}`},
		{service: "s3", name: "ListBuckets", request: `{"Host":"s3.amazonaws.com"}`},
		{service: "sts", name: "GetCallerIdentity"},
		{service: "logs", name: "DescribeLogGroups", request: `{"limit":50}`},
		{service: "cloudwatch", name: "GetMetricData"},
		{service: "iam", name: "ListRoles", request: `{"maxItems":100}`},
		{service: "lambda", name: "ListFunctions20150331", request: `{"maxItems":50}`},
		{service: "rds", name: "DescribeDBInstances", region: "eu-west-1"},
	}
}

// developer: an engineer's or administrator's working session, from the office or home.
func (n *noise) developer(at instant) {
	u, role := pick(n.rand, n.world.inDepartment("Engineering")), n.world.roles[0]
	if n.chance(30) {
		u, role = pick(n.rand, n.world.inDepartment("IT")), n.world.roles[1]
	}
	s := n.session(at.plus(-n.millis(60000, 3000000)), role, u.upn)
	s.mfa = true
	ip := n.address(u)
	for range n.between(1, 5) {
		c := pick(n.rand, reads())
		c.identity = s.identity()
		if n.chance(4) {
			c.errorCode = "AccessDenied"
			c.errorMsg = "User: " + s.arn() + " is not authorized to perform: " + c.service + ":" + c.name
		}
		n.trail(at, c.from(ip, pick(n.rand, []string{agentConsole, agentCLI, agentTerra})))
		at = at.plus(n.millis(500, 9000))
	}
}

// address is where a person works from: mostly the office.
func (n *noise) address(u *user) string {
	if n.chance(25) {
		return u.homeIP
	}
	return companyEgress
}

// deployment: the build system brings out a release.
func (n *noise) deployment(at instant) {
	s := n.session(at, n.world.role("ci-deploy"), fmt.Sprintf("release-%d", n.between(400, 990)))
	id := s.identity()
	c := objectCall(id, "PutObject", "alderfinch-artifacts", "web/"+hexText(n.rand, 6)+".zip")
	n.trail(at, c.from("198.51.100.140", agentTerra))
	update := call{identity: id, service: "lambda", name: "UpdateFunctionCode20150331v2", write: true,
		request: `{"functionName":"order-events","s3Bucket":"alderfinch-artifacts","publish":true}`}
	n.trail(at.plus(n.millis(800, 5000)), update.from("198.51.100.140", agentTerra))
}

// keyUse: KMS on behalf of a service.
func (n *noise) keyUse(at instant) {
	arn := "arn:aws:kms:" + homeRegion + ":" + accountID + ":key/6c1f80e2-4a97-4d3b-a5c8-92e07b3d14f6"
	s := n.session(at.plus(-n.millis(1000, 900000)), n.world.role("lambda-order-events"), "order-events")
	c := call{identity: s.identity(), service: "kms", name: "Decrypt", request: `{"encryptionAlgorithm":"SYMMETRIC_DEFAULT"}`,
		resources: `[{"accountId":"` + accountID + `","type":"AWS::KMS::Key","ARN":"` + arn + `"}]`}
	n.trail(at, c.from("AWS Internal", "AWS Internal"))
}

// consoleVisit: a sign-in to the console, sometimes with a wrong password first.
func (n *noise) consoleVisit(at instant) {
	u := pick(n.rand, n.world.inDepartment(pick(n.rand, []string{"IT", "Engineering"})))
	c := consoleLogin(u, n.address(u), agentConsole, true)
	if n.chance(15) {
		failed := c
		failed.errorMsg, failed.response = "Failed authentication", `{"ConsoleLogin":"Failure"}`
		n.trail(at, failed)
		at = at.plus(n.millis(8000, 30000))
	}
	n.trail(at, c)
}

// financeExport: people of finance fetch their exports with their own keys.
func (n *noise) financeExport(at instant) {
	u := pick(n.rand, n.world.inDepartment("Finance"))
	key := fmt.Sprintf("reports/daily-%s-%d.csv", at.format(layoutDay), n.between(1, 6))
	c := objectCall(iamUser(u, u.awsKey), "GetObject", "alderfinch-finance-exports", key)
	n.trail(at, c.from(companyEgress, agentCLI))
}

// keyRotation: an administrator renews a key, as the policy asks.
func (n *noise) keyRotation(at instant) {
	u := pick(n.rand, n.world.inDepartment("IT"))
	s := n.session(at.plus(-n.millis(60000, 900000)), n.world.roles[1], u.upn)
	s.mfa = true
	c := createAccessKey(at, s.identity(), "svc-invoicing", "AKIA"+upperText(n.rand, 16))
	n.trail(at, c.from(companyEgress, agentConsole))
}
