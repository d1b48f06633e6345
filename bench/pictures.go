package main

import "time"

// The pictures, in the order of the document.
const (
	lagPicture      = "benchmarks-lag.svg"
	replicasPicture = "benchmarks-replicas.svg"
)

var pictureNames = []string{replicasPicture, lagPicture}

// pictures are those that this run has the figures for.
func (r *report) pictures() map[string]*picture {
	drawn := map[string]*picture{}
	for _, o := range r.outcomes {
		if o.err != nil {
			continue
		}
		switch o.name {
		case "log":
			drawn[replicasPicture] = o.byReplicas()
		case "lag":
			drawn[lagPicture] = o.lagOverTime()
		}
	}
	return drawn
}

// byReplicas shows how long replicas that were down take together, by their number.
func (o *outcome) byReplicas() *picture {
	p := &picture{
		title:  "Catching up on TPC-B transactions, by the number of replicas",
		note:   "line: median of the rounds; band: fastest to slowest",
		x:      "replicas",
		y:      "seconds",
		panels: []panel{{}},
	}
	for _, n := range fanOut {
		p.ticks = append(p.ticks, float64(n))
	}
	for _, c := range o.contenders[:2] {
		l := line{name: c.name}
		for i, n := range fanOut {
			s := summarize(o.values(c, i))
			l.points = append(l.points, point{float64(n), s.median, s.min, s.max})
		}
		p.panels[0].lines = append(p.panels[0].lines, l)
	}
	return p
}

// traceStep is what one point of a picture of lag stands for.
const traceStep = 250 * time.Millisecond

// lagOverTime shows the last round.
func (o *outcome) lagOverTime() *picture {
	p := &picture{
		title: "Lag, from the acknowledged commit until it is visible on the replica",
		note:  "line: median of each quarter of a second; band: up to its slowest",
		x:     "seconds",
		y:     "milliseconds",
		log:   true,
	}
	for i, pace := range paces {
		panel := panel{title: pace.name}
		for _, c := range o.contenders {
			samples := o.samples[c]
			if len(samples) == 0 {
				continue
			}
			panel.lines = append(panel.lines, line{c.name, steps(samples[len(samples)-1].traces[i])})
		}
		p.panels = append(p.panels, panel)
	}
	return p
}

// steps sums up probes: their median, and the range from it to the slowest.
func steps(probes []probe) (points []point) {
	var at time.Duration
	var lags []float64
	flush := func() {
		if len(lags) > 0 {
			s := summarize(lags)
			points = append(points, point{(at + traceStep/2).Seconds(), s.median, s.median, s.max})
			lags = nil
		}
	}
	for _, p := range probes {
		if step := p.at.Truncate(traceStep); step != at {
			flush()
			at = step
		}
		lags = append(lags, milliseconds(p.lag))
	}
	flush()
	return points
}
