"""A sentence encoder of twelve pieces and four dimensions: each piece's vector is a row of one table."""

import base64
import json
import zlib
from pathlib import Path

WORDS = ("[PAD]", "[UNK]", "[CLS]", "[SEP]", "tent", "stove", "red", "blue", "帐", "篷", "a", "short")

_MODEL = (
    "c-rIOuv*T{WyQr>l9-f}%Eg(PS5R6KpP5oDB$$&}ToRv=nUa#47hhbGSdyy5=AKxRky@n1&Bc;fky$Lkuz-<Ch@~VmuTtv*BL@!$"
    "ivXh&#2~K&j639>+OKneXm|F^8QW@+cl$MC`u7<dZ{EjseevFP?uz@lt}E~DKlF8<$hzhG*SRO!gRsZLTlQzq_}BvV>^pmgXMbAS"
    "vHczotAJuX``-l4*l)`fzAtFUKKuSdrFJp>P5b)~nF94H+5^qnw?oc#zkF-<J_ZH{`y~Z`?SppA1Ig_Nng=vP>Htt~KS&SI9rioq"
    "SodkhoClh(X8$H|2hhxW`)AFR1e!0tKWIlB(A=*!QL@OPA;87Q!7jwb#Vo{_1R{!~l(_g3OG;AnN;32F;&T&=v$3lw$<GFcUrA*_"
    "Dt2>{G`TQCT1bRTh=Wmx521{UiG#(7g^NKz5CCMsn?3"
)


def make(folder: Path, pooling: str | None = "mean") -> Path:
    """`pooling`: what the folder's own config says."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "model.onnx").write_bytes(zlib.decompress(base64.b85decode(_MODEL)))
    (folder / "tokenizer.json").write_text(json.dumps(_tokenizer()))
    if pooling:
        config = {"pooling_mode_cls_token": pooling == "cls", "pooling_mode_mean_tokens": pooling == "mean"}
        (folder / "1_Pooling").mkdir(exist_ok=True)
        (folder / "1_Pooling" / "config.json").write_text(json.dumps(config))
    return folder


def _tokenizer() -> dict[str, object]:
    vocabulary = {word: number for number, word in enumerate(WORDS)}
    special = {word: {"id": word, "ids": [vocabulary[word]], "tokens": [word]} for word in ("[CLS]", "[SEP]")}
    single = [
        {"SpecialToken": {"id": "[CLS]", "type_id": 0}},
        {"Sequence": {"id": "A", "type_id": 0}},
        {"SpecialToken": {"id": "[SEP]", "type_id": 0}},
    ]
    return {
        "version": "1.0",
        "added_tokens": [],
        "normalizer": {"type": "BertNormalizer", "clean_text": True, "handle_chinese_chars": True, "lowercase": True},
        "pre_tokenizer": {"type": "BertPreTokenizer"},
        "post_processor": {"type": "TemplateProcessing", "single": single, "pair": single, "special_tokens": special},
        "model": {
            "type": "WordPiece",
            "vocab": vocabulary,
            "unk_token": "[UNK]",
            "continuing_subword_prefix": "##",
            "max_input_chars_per_word": 100,
        },
    }
