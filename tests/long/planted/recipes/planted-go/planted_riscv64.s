#include "textflag.h"

TEXT ·planted(SB), NOSPLIT, $0-16
	MOV	x+0(FP), X10
	WORD	$0x60251513 // CPOP X10, X10
	MOV	X10, ret+8(FP)
	RET
