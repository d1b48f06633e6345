package main

import (
	"fmt"
	"html"
	"math"
	"slices"
	"strconv"
	"strings"
)

// picture is a row of panels over one y axis, drawn as SVG. Its background is transparent and its colours are neither
// light nor dark: it stands on white paper and on a dark page.
type picture struct {
	title  string
	note   string // how it is to be read
	x, y   string // what the axes show, with the unit
	log    bool   // the y axis is logarithmic
	ticks  []float64
	panels []panel
}

// panel has axes of its own for x.
type panel struct {
	title string
	lines []line
}

// line is one contender's. A line of the same name has the same colour in every panel.
type line struct {
	name   string
	points []point
}

// point is a value with the range around it; low and high are y where there is none.
type point struct{ x, y, low, high float64 }

// Sizes in units of the SVG, which are pixels unless it is scaled.
const (
	plotHeight = 260.0
	plotWidth  = 880.0 // of all panels
	leftRoom   = 72.0
	topRoom    = 92.0
	bottomRoom = 58.0
	rightRoom  = 20.0
	panelGap   = 26.0
)

const ink = "#768390" // text and axes: as far from white as from black

var colours = []string{"#2f81f7", "#db6d28", "#3fa266", "#a371f7"}

// svg draws the picture.
func (p *picture) svg() string {
	var b strings.Builder
	width, height := leftRoom+plotWidth+rightRoom, topRoom+plotHeight+bottomRoom
	fmt.Fprintf(&b, `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 %.0f %.0f" width="%.0f" height="%.0f" role="img" font-family="system-ui, -apple-system, 'Segoe UI', 'DejaVu Sans', Helvetica, Arial, sans-serif" font-size="14" fill="%s">`+"\n",
		width, height, width, height, ink)
	fmt.Fprintf(&b, "<title>%s</title>\n", html.EscapeString(p.title))
	text(&b, leftRoom, 26, "start", `font-size="17" font-weight="600"`, p.title)
	p.legend(&b)
	y := p.yAxis()
	for i := range p.panels {
		p.panel(&b, i, y)
	}
	fmt.Fprintf(&b, `<text transform="translate(18 %.1f) rotate(-90)" text-anchor="middle">%s</text>`+"\n", topRoom+plotHeight/2, html.EscapeString(p.y))
	b.WriteString("</svg>\n")
	return b.String()
}

func text(b *strings.Builder, x, y float64, anchor, attributes, s string) {
	fmt.Fprintf(b, `<text x="%.1f" y="%.1f" text-anchor="%s" %s>%s</text>`+"\n", x, y, anchor, attributes, html.EscapeString(s))
}

// names are those of all lines, in the order in which they come.
func (p *picture) names() (list []string) {
	for _, panel := range p.panels {
		for _, l := range panel.lines {
			if !slices.Contains(list, l.name) {
				list = append(list, l.name)
			}
		}
	}
	return list
}

func (p *picture) colour(name string) string {
	return colours[slices.Index(p.names(), name)%len(colours)]
}

func (p *picture) legend(b *strings.Builder) {
	x := leftRoom
	for _, name := range p.names() {
		fmt.Fprintf(b, `<line x1="%.1f" y1="48" x2="%.1f" y2="48" stroke="%s" stroke-width="3" stroke-linecap="round"/>`+"\n", x, x+24, p.colour(name))
		text(b, x+32, 53, "start", "", name)
		x += 60 + 8.5*float64(len(name))
	}
	text(b, leftRoom+plotWidth, 53, "end", `font-size="13"`, p.note)
}

// axis maps values to a place between 0 and 1.
type axis struct {
	low, high float64
	log       bool
	ticks     []float64
}

func (a *axis) at(v float64) float64 {
	if a.log {
		return math.Log(max(v, a.low)/a.low) / math.Log(a.high/a.low)
	}
	return (v - a.low) / (a.high - a.low)
}

// yAxis holds all points, from zero when it is linear, from a round value to the next when it is logarithmic.
func (p *picture) yAxis() *axis {
	low, high := math.Inf(1), 0.0
	for _, panel := range p.panels {
		for _, l := range panel.lines {
			for _, pt := range l.points {
				if pt.low > 0 {
					low = min(low, pt.low)
				}
				high = max(high, pt.high)
			}
		}
	}
	if high == 0 {
		low, high = 1, 10
	}
	if !p.log {
		ticks := linearTicks(high)
		return &axis{high: ticks[len(ticks)-1], ticks: ticks}
	}
	a := &axis{log: true, low: math.Pow(10, math.Floor(math.Log10(low))), high: math.Pow(10, math.Ceil(math.Log10(high)))}
	if a.high <= a.low {
		a.high = a.low * 10
	}
	for v := a.low; v < a.high*1.001; v *= 10 {
		a.ticks = append(a.ticks, v)
	}
	return a
}

// linearTicks are round values from 0 to one that is not below high.
func linearTicks(high float64) (ticks []float64) {
	step := math.Pow(10, math.Floor(math.Log10(high)))
	for _, divisor := range []float64{5, 4, 2, 1, 0.5} {
		if high/(step/divisor) <= 6 {
			step /= divisor
			break
		}
	}
	for i := 0; ; i++ {
		v := float64(i) * step
		ticks = append(ticks, v)
		if v >= high && i > 0 {
			return ticks
		}
	}
}

// xAxis is the panel's own, unless the picture says where its ticks are.
func (p *picture) xAxis(panel *panel) *axis {
	if len(p.ticks) > 0 {
		first, last := p.ticks[0], p.ticks[len(p.ticks)-1]
		margin := (last - first) / 8
		return &axis{low: first - margin, high: last + margin, ticks: p.ticks}
	}
	var high float64
	for _, l := range panel.lines {
		for _, pt := range l.points {
			high = max(high, pt.x)
		}
	}
	if high == 0 {
		high = 1
	}
	ticks := linearTicks(high)
	if last := ticks[len(ticks)-1]; last > high*1.02 {
		ticks = ticks[:len(ticks)-1]
	}
	return &axis{high: max(high, ticks[len(ticks)-1]), ticks: ticks}
}

func (p *picture) panel(b *strings.Builder, i int, y *axis) {
	panel := &p.panels[i]
	n := float64(len(p.panels))
	width := (plotWidth - (n-1)*panelGap) / n
	left := leftRoom + float64(i)*(width+panelGap)
	bottom := topRoom + plotHeight
	x := p.xAxis(panel)
	px := func(v float64) float64 { return left + x.at(v)*width }
	py := func(v float64) float64 { return bottom - y.at(v)*plotHeight }

	text(b, left+width/2, topRoom-12, "middle", `font-weight="600"`, panel.title)
	for _, v := range y.ticks {
		fmt.Fprintf(b, `<line x1="%.1f" y1="%.1f" x2="%.1f" y2="%.1f" stroke="%s" stroke-opacity="0.3"/>`+"\n", left, py(v), left+width, py(v), ink)
		if i == 0 {
			text(b, left-8, py(v)+5, "end", "", number(v))
		}
	}
	fmt.Fprintf(b, `<line x1="%.1f" y1="%.1f" x2="%.1f" y2="%.1f" stroke="%s"/>`+"\n", left, bottom, left+width, bottom, ink)
	for _, v := range x.ticks {
		fmt.Fprintf(b, `<line x1="%.1f" y1="%.1f" x2="%.1f" y2="%.1f" stroke="%s"/>`+"\n", px(v), bottom, px(v), bottom+5, ink)
		text(b, px(v), bottom+21, "middle", "", number(v))
	}
	text(b, left+width/2, bottom+44, "middle", "", p.x)
	for _, l := range panel.lines {
		p.line(b, l, px, py)
	}
}

func (p *picture) line(b *strings.Builder, l line, px, py func(float64) float64) {
	if len(l.points) == 0 {
		return
	}
	colour := p.colour(l.name)
	var band, path strings.Builder
	for _, pt := range l.points {
		fmt.Fprintf(&band, "%.1f,%.1f ", px(pt.x), py(pt.high))
		fmt.Fprintf(&path, "%.1f,%.1f ", px(pt.x), py(pt.y))
	}
	for _, pt := range slices.Backward(l.points) {
		fmt.Fprintf(&band, "%.1f,%.1f ", px(pt.x), py(pt.low))
	}
	fmt.Fprintf(b, `<polygon points="%s" fill="%s" fill-opacity="0.18"/>`+"\n", strings.TrimSpace(band.String()), colour)
	fmt.Fprintf(b, `<polyline points="%s" fill="none" stroke="%s" stroke-width="2.2" stroke-linejoin="round" stroke-linecap="round"/>`+"\n", strings.TrimSpace(path.String()), colour)
	const few = 6 // so many points are marked, each with its value
	if len(l.points) > few {
		return
	}
	for _, pt := range l.points {
		fmt.Fprintf(b, `<circle cx="%.1f" cy="%.1f" r="4" fill="%s"/>`+"\n", px(pt.x), py(pt.y), colour)
		text(b, px(pt.x), py(pt.y)-10, "middle", fmt.Sprintf(`fill="%s" font-size="13"`, colour), number(significant(pt.y)))
	}
}

// significant rounds to three digits.
func significant(v float64) float64 {
	r, err := strconv.ParseFloat(strconv.FormatFloat(v, 'g', 3, 64), 64)
	if err != nil {
		return v
	}
	return r
}

// number writes a value without zeros that say nothing, and with separators of thousands.
func number(v float64) string {
	s := strconv.FormatFloat(significant(v), 'f', -1, 64)
	whole, fraction, _ := strings.Cut(s, ".")
	for i := len(whole) - 3; i > 0 && whole[i-1] != '-'; i -= 3 {
		whole = whole[:i] + "," + whole[i:]
	}
	if fraction != "" {
		return whole + "." + fraction
	}
	return whole
}
