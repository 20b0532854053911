// Returns what is wrong with the page as sentences. It asks what automatic accessibility checkers ask.
(() => {
	const wrong = [];
	const all = selector => [...document.querySelectorAll(selector)];
	const where = e => e.tagName.toLowerCase() + (e.id ? '#' + e.id : '') + ' "' + e.textContent.trim().slice(0, 40) + '"';
	const seen = e => e.checkVisibility({ visibilityProperty: true }) && !e.closest('.hidden, .skip, [aria-hidden=true]');

	if (document.documentElement.scrollWidth > innerWidth) {
		const widest = all('body *').filter(e => e.getBoundingClientRect().right > innerWidth + 1 && seen(e)).map(where);
		wrong.push(`scrolls sideways: ${document.documentElement.scrollWidth} > ${innerWidth}: ${widest.slice(0, 3).join(', ')}`);
	}
	// What sticks out of a part that cuts it off is seen by nobody.
	for (const e of all('body *').filter(seen))
		if ((e.matches('.panel') || getComputedStyle(e).overflowX !== 'visible') && e.clientWidth > 1 && e.scrollWidth > e.clientWidth + 1)
			wrong.push(`${where(e)} holds more than it shows: ${e.scrollWidth} > ${e.clientWidth}`);
	if (!document.documentElement.lang || !document.title) wrong.push('no language or no title');
	if (all('main').length !== 1 || all('h1').length !== 1) wrong.push('not one main part with one heading of the first level');
	let before = 0;
	for (const h of all('h1, h2, h3, h4, h5, h6').filter(seen)) {
		const level = Number(h.tagName[1]);
		if (level > before + 1) wrong.push(`heading ${where(h)} skips a level`);
		before = level;
	}
	const ids = all('[id]').map(e => e.id);
	if (new Set(ids).size !== ids.length) wrong.push('an id stands twice: ' + ids.filter((id, i) => ids.indexOf(id) !== i));
	for (const e of all('[aria-labelledby]'))
		for (const id of e.getAttribute('aria-labelledby').split(' '))
			if (!document.getElementById(id)) wrong.push(`${where(e)} is named by ${id}, which is not there`);
	for (const e of all('input:not([type=hidden]), select, textarea')) if (!e.labels.length && !e.getAttribute('aria-label')) wrong.push(`${where(e)} has no label`);
	for (const e of all('a, button, summary')) if (!(e.getAttribute('aria-label') || e.textContent).trim()) wrong.push(`${where(e)} has no name`);
	for (const e of all('[aria-label]')) if (['DIV', 'SPAN', 'PRE', 'CODE', 'P'].includes(e.tagName) && !e.getAttribute('role')) wrong.push(`${where(e)} has a name that nobody hears, as it has no role`);
	for (const e of all('nav, form')) if (!e.getAttribute('aria-label')) wrong.push(`${where(e)} has no name`);
	for (const e of all('svg')) if (e.getAttribute('aria-hidden') !== 'true' && !e.querySelector('title')) wrong.push('a picture has no text');
	for (const e of all('table')) {
		if (!e.caption) wrong.push('a table has no caption');
		for (const th of e.querySelectorAll('th')) if (!th.scope) wrong.push(`${where(th)} does not say what it heads`);
		for (const td of e.querySelectorAll('td')) if (!td.dataset.label) wrong.push(`${where(td)} has no label on a phone`);
	}
	for (const e of all('.top a, .pages a, .sorts a, button, select, input:not([type=hidden]), summary').filter(seen))
		if (e.getBoundingClientRect().height < 24) wrong.push(`${where(e)} is too small to hit: ${e.getBoundingClientRect().height}`);

	// Contrast of every piece of text to what is behind it, as WCAG 2.2 defines it.
	const parse = text => { const n = text.match(/[\d.]+/g).map(Number); return n.length < 4 ? [...n, 1] : n; };
	const luminance = c => { const [r, g, b] = c.map(v => (v /= 255) <= 0.04045 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4); return 0.2126 * r + 0.7152 * g + 0.0722 * b; };
	const behind = e => {
		for (; e; e = e.parentElement) {
			const c = parse(getComputedStyle(e).backgroundColor);
			if (c[3] === 1) return c;
		}
		return [255, 255, 255, 1];
	};
	const texts = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
	while (texts.nextNode()) {
		const e = texts.currentNode.parentElement;
		if (!texts.currentNode.data.trim() || !seen(e) || ['TITLE', 'DESC', 'OPTION'].includes(e.tagName.toUpperCase())) continue;
		const style = getComputedStyle(e);
		const x = luminance(parse(e.namespaceURI.endsWith('svg') ? style.fill : style.color).slice(0, 3)), y = luminance(behind(e).slice(0, 3));
		const ratio = (Math.max(x, y) + 0.05) / (Math.min(x, y) + 0.05);
		if (ratio < 4.5) wrong.push(`${where(e)} has a contrast of ${ratio.toFixed(2)}`);
	}
	return [...new Set(wrong)].slice(0, 20);
})()
