/** Files and folders from this computer: dropped or picked, sent with progress and cancel. */
import { useEffect, useRef, useState } from "preact/hooks";
import { bytes, counted } from "../../shared/text.ts";
import { Button } from "../../shared/ui/button.tsx";
import { Icon } from "../../shared/ui/icon.tsx";
import { asProblem, ErrorNotice, Notice, type Problem } from "../../shared/ui/notice.tsx";
import { ProgressBar } from "../../shared/ui/progress.tsx";
import { droppedFiles, pickedFiles } from "./dropped.ts";
import type { UploadTransport } from "./types.ts";
import { type UploadFile, type UploadProgress, upload } from "./uploader.ts";

export function DropZone({
	transport,
	onDone,
}: {
	transport: UploadTransport;
	/** Called with the source that the files became, and what they are in words. */
	onDone: (source: string, words: string) => void;
}) {
	const [over, setOver] = useState(false);
	const [collecting, setCollecting] = useState(false);
	const [progress, setProgress] = useState<UploadProgress | null>(null);
	const [problem, setProblem] = useState<Problem | null>(null);
	const [note, setNote] = useState("");
	const abort = useRef<AbortController | null>(null);
	useEffect(() => () => abort.current?.abort(), []);

	const send = async (collect: () => Promise<UploadFile[]> | UploadFile[]) => {
		setProblem(null);
		setNote("");
		setCollecting(true);
		const stop = new AbortController();
		abort.current = stop;
		try {
			const files = await collect();
			if (stop.signal.aborted) return;
			if (files.length === 0) return setNote("There was no file in it.");
			const source = await upload(files, transport, stop.signal, setProgress);
			const size = files.reduce((sum, { file }) => sum + file.size, 0);
			onDone(source, `${nameOf(files)}, ${bytes(size)}`);
		} catch (error) {
			if (!stop.signal.aborted) setProblem(asProblem(error));
			else setNote("Upload cancelled; nothing was kept.");
		} finally {
			setCollecting(false);
			setProgress(null);
		}
	};
	const onDrop = (event: DragEvent) => {
		event.preventDefault();
		event.stopPropagation();
		setOver(false);
		const transfer = event.dataTransfer;
		// Started within the event: its items are gone once it is over.
		if (transfer) {
			const files = droppedFiles(transfer);
			void send(() => files);
		}
	};
	const onPick = (event: Event) => {
		const input = event.currentTarget as HTMLInputElement;
		const files = pickedFiles(input.files ?? []);
		input.value = "";
		if (files.length) void send(() => files);
	};

	if (progress || collecting) {
		const {
			files = 0,
			filesDone = 0,
			bytes: size = 0,
			bytesDone = 0,
			secondsLeft = null,
		} = progress ?? {};
		return (
			<div class="nbannot-drop nbannot-drop-busy">
				<ProgressBar
					name="Looking through the folders"
					progress={
						progress
							? {
									stage: `Uploading ${bytes(bytesDone)} of ${bytes(size)}`,
									...(files > 1 ? { done: filesDone, total: files, unit: "files" } : {}),
									fraction: size ? bytesDone / size : 1,
									seconds_left: secondsLeft,
								}
							: {}
					}
				/>
				<Button onClick={() => abort.current?.abort()}>Cancel upload</Button>
			</div>
		);
	}
	return (
		<div class="nbannot-picker-body">
			<div
				class="nbannot-drop"
				role="group"
				aria-label="Files to upload"
				data-over={over ? "" : undefined}
				onDragOver={(event) => {
					event.preventDefault();
					event.stopPropagation();
					setOver(true);
				}}
				onDragLeave={() => setOver(false)}
				onDrop={onDrop}
			>
				<Icon name="upload" size={24} />
				<p>Drop files, folders or an archive here</p>
				<div class="nbannot-actions">
					<PickButton onPick={onPick} name="Choose files" />
					<PickButton onPick={onPick} name="Choose a folder" folder />
				</div>
				<p class="nbannot-muted">Any size. The files go to the kernel, nowhere else.</p>
			</div>
			{note && <Notice kind="info" title={note} />}
			{problem && <ErrorNotice problem={problem} />}
		</div>
	);
}

function PickButton({
	onPick,
	name,
	folder = false,
}: {
	onPick: (event: Event) => void;
	name: string;
	folder?: boolean;
}) {
	const input = useRef<HTMLInputElement>(null);
	return (
		<>
			<input
				ref={input}
				type="file"
				multiple
				hidden
				tabIndex={-1}
				aria-hidden="true"
				{...(folder ? { webkitdirectory: true } : {})}
				onChange={onPick}
			/>
			<Button onClick={() => input.current?.click()}>{name}</Button>
		</>
	);
}

function nameOf(files: UploadFile[]): string {
	const [first] = files;
	if (files.length === 1) return first?.path ?? "";
	const top = new Set(files.map(({ path }) => path.split("/", 1)[0]));
	const folder = top.size === 1 ? `${[...top][0]}/: ` : "";
	return `${folder}${counted(files.length, "file")}`;
}
