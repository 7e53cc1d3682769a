"""A second decoder of lmz archives, written from the texts in docs: slow, short and plain.

It is a test of those texts, so it does what they say and shares nothing with the Rust code. Section
names and numbers in the comments are those of the texts.

| module | what it decodes | after |
|---|---|---|
| `frames`, `cursor`, `xxh64` | an archive's frames and their checks | FORMAT.md |
| `blocks`, `layout`, `range_decoder` | a block, and what all codecs share | FORMAT.md |
| `ppm` | codec 2 with PPM | FORMAT.md, section PPM |
| `cm`, `contexts`, `mixer` | codec 3, context mixing (CM) | MIXING.md, sections 1 to 10 |
| `lm_cm`, `token_end` | codec 4, a language model (LM) and CM | MIXING.md, sections 12 to 15 |
| `lm_only` | codec 2 with a language model | FORMAT.md, section Codec 2 |
| `language_model`, `vocabulary` | model folders, and what a model expects next | FORMAT.md |
| `rwkv7` | an RWKV-7 network's output, bit for bit | ARITHMETIC.md, version 1 |
| `transformer`, `hub_folder` | a transformer's, and its files | ARITHMETIC.md, version 2 |

`repository` says where the files lie that the texts name. All but the networks needs nothing beside
Python's own library; `optional` is the one door to what does.
"""
