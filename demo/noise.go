package demo

// noise is the ordinary life of the company: episodes chosen by weight, one
// table per domain.
type noise struct {
	*recorder
	episodes [domains][]episode
}

// episode is something ordinary that leaves records. Every episode leaves at
// least one in the domain of its table, at the instant that it is given.
type episode struct {
	weight int
	run    func(at instant)
}

func newNoise(r *recorder) *noise {
	n := &noise{recorder: r}
	n.episodes = [domains][]episode{
		endpoint: n.endpointEpisodes(),
		network:  n.networkEpisodes(),
		cloud:    n.cloudEpisodes(),
		identity: n.identityEpisodes(),
	}
	return n
}

// fill runs episodes in the slot that begins at from until each domain has its
// target. Network comes before endpoint, because its episodes add to both.
func (n *noise) fill(from instant, targets [domains]int) {
	for _, d := range []domain{network, endpoint, cloud, identity} {
		for n.queue.added[d] < targets[d] {
			at := from + instant(n.rand.Int64N(slot.Microseconds()))
			n.choose(n.episodes[d]).run(at)
		}
	}
}

func (n *noise) choose(from []episode) episode {
	total := 0
	for _, e := range from {
		total += e.weight
	}
	k := n.rand.IntN(total)
	for _, e := range from {
		if k -= e.weight; k < 0 {
			return e
		}
	}
	return from[0]
}

func (n *noise) station() *host { return pick(n.rand, n.world.stations()) }

func (n *noise) server() *host { return pick(n.rand, n.world.serverList()) }
