package demo

import (
	"fmt"
)

func (n *noise) identityEpisodes() []episode {
	return []episode{{50, n.ordinarySignIn}, {34, n.renewal}, {8, n.workload}, {5, n.prompted}, {4, n.wrongPassword}, {1, n.travel}}
}

// usual is a person's ordinary sign-in.
func (n *noise) usual() signIn {
	u := pick(n.rand, n.world.users)
	s := signIn{user: u, app: pick(n.rand, cloudApps()), ip: n.address(u), where: officePlace(), deviceID: u.deviceID,
		system: "Windows 10", browser: "Edge 131.0.0", agent: agentConsole}
	if s.ip == u.homeIP {
		s.where, s.mfa = u.home, true
	}
	if u.station == nil {
		s.system, s.browser = "Android", "Chrome Mobile 131.0.0"
		s.agent = "Mozilla/5.0 (Linux; Android 14) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/131.0.0.0 Mobile Safari/537.36"
	}
	return s
}

func (n *noise) ordinarySignIn(at instant) { n.signIn(at, n.usual()) }

// renewal: clients renew their tokens without asking anybody.
func (n *noise) renewal(at instant) {
	s := n.usual()
	s.category = "NonInteractiveUserSignInLogs"
	n.signIn(at, s)
}

// workload: a service signs in as itself.
func (n *noise) workload(at instant) {
	a := pick(n.rand, n.world.services)
	n.signIn(at, signIn{principal: a, category: "ServicePrincipalSignInLogs", app: cloudApps()[2], ip: companyEgress, where: officePlace(),
		deviceID: "b7e0d2f4-5c91-4a68-a3d7-0000" + fmt.Sprintf("%08x", len(a.name)*0x1357)})
}

// prompted: a second factor is asked for and given.
func (n *noise) prompted(at instant) {
	s := n.usual()
	s.mfa, s.session = true, guidText(n.rand)
	done := s
	s.code, s.reason = 50074, "Strong Authentication is required."
	n.signIn(at, s)
	n.signIn(at.plus(n.millis(6000, 40000)), done)
}

func (n *noise) wrongPassword(at instant) {
	s := n.usual()
	done := s
	s.mfa, s.code, s.reason = false, 50126, "Error validating credentials due to invalid username or password."
	for range n.between(1, 3) {
		n.signIn(at, s)
		at = at.plus(n.millis(4000, 15000))
	}
	n.signIn(at, done)
}

// travel: a colleague abroad, which Entra finds a little unusual.
func (n *noise) travel(at instant) {
	s := n.usual()
	s.ip, s.where, s.mfa, s.risk, s.riskTypes = "198.51.100.130", pick(n.rand, travelPlaces()), true, "low", []string{"unfamiliarFeatures"}
	n.signIn(at, s)
}
