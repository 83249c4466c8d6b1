// The core runs beside the page, so that the page answers to its user while the core is unpacked or thinks.
import { XzReadableStream } from "xz-decompress";

self.onmessage = async ({ data }) => {
	if (data.core === undefined) {
		self.postMessage({ asked: data.asked, told: self.layerwise(data.asked) });
		return;
	}
	const packed = Uint8Array.from(atob(data.core), (c) => c.charCodeAt(0));
	const unpacked = new Response(new XzReadableStream(new Blob([packed]).stream())); // browsers do not know xz
	const go = new Go();
	const { instance } = await WebAssembly.instantiate(await unpacked.arrayBuffer(), go.importObject);
	self.layerwiseReady = () => self.postMessage({ ready: true }); // the core calls it
	go.run(instance);
};
