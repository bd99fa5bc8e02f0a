# Instructions of Zbb and Zcb, in words and in mnemonics, beside a table of data that is none.
	.text
	.globl	mnemonic
	.type	mnemonic, @function
mnemonic:
	.option	push
	.option	arch, +zbb
	andn	a0, a0, a1
	.option	pop
	ret
	.size	mnemonic, . - mnemonic

	.globl	word
	.type	word, @function
word:
	addi	a0, a0, 1
	.4byte	0x60251513	# cpop a0, a0
	ret
	.size	word, . - word

	.globl	half
	.type	half, @function
half:
	addi	a0, a0, 1
	.2byte	0x9d61		# c.zext.b a0
	ret
	.size	half, . - half

	.globl	table
	.type	table, @object
	.balign	4
table:
	.word	0x00000057, 0xffffffff, 0x0000006b
	.size	table, . - table
