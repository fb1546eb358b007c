import { useEffect, useState } from "preact/hooks";

/** Says `text` to screen readers whenever it changes; shows nothing. */
export function Status({ text }: { text: string }) {
	// A live region is only read out when its text changes after it is there: so it starts empty.
	const [said, say] = useState("");
	useEffect(() => say(text), [text]);
	return (
		<div role="status" class="nbannot-hidden">
			{said}
		</div>
	);
}
